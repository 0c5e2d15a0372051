"""`clipsearch index`, `clipsearch tune`, and the index of a new collection."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.cli import tune
from clipsearch.evaluation.index_tuning import Trial, TuningReport
from clipsearch.store import Store
from clipsearch.store.index.settings import Tuning
from clipsearch.store.index.wait import wait_for_index
from clipsearch.vectors import normalize
from tests.helpers.commands import Run, one_line
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import row


def test_milvus_lite_is_exact(ingested: Run) -> None:
    shown = ingested("index")
    assert shown.stdout.splitlines()[:2] == ["images: 3 images", "  index      flat, exact scan"]
    assert json.loads(ingested("index", "--json").stdout)["kind"] == "flat"
    tuned = ingested("tune")
    assert tuned.returncode == 0
    assert "exact: nothing to tune" in tuned.stdout
    assert json.loads(ingested("tune", "--json").stdout)["tuning"] is None


@pytest.mark.parametrize(
    ("kind", "advice"),
    [("ivf_sq8", "--to hnsw`"), ("hnsw", "--to flat`"), ("autoindex", "not reached\n")],
)
def test_an_index_that_misses_too_many_gets_advice_that_helps(
    kind: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tuning = Tuning(kind, 10, 0.98, 0.9, 10, 1.0, 1_000, "2026-01-01T00:00:00")
    trial = Trial(10, {"images": 0.9}, 1.0)
    tune._show(TuningReport(kind, "effort", 1_000, (trial,), tuning), as_json=False)
    assert advice in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--to", "hnsw"), "there is no index to replace"),
        (("--rebuild",), "there is no index to replace"),
        (("--to", "hnsw", "--rebuild"), "exclude each other"),
        (("--mmap", "on"), "--mmap needs a Milvus server of version 2.4 or newer"),
        (("--warmup", "off"), "--warmup needs a Milvus server of version 2.6.4 or newer"),
        (("--to", "hsnw"), "hsnw"),
    ],
)
def test_what_milvus_lite_cannot_do_is_one_line(
    ingested: Run, arguments: tuple[str, ...], reason: str
) -> None:
    done = ingested("index", *arguments)
    assert done.returncode == 2
    assert reason in one_line(done.stderr)


def test_a_new_collection_gets_the_named_index_or_an_error(run: Run, image_folder: Path) -> None:
    refused = run("ingest", image_folder, "--index", "aisaq")
    assert refused.returncode == 2
    assert "a Milvus server, version 2.6.4 or newer" in one_line(refused.stderr)
    assert "no collections" in run("status").stdout
    assert run("ingest", image_folder, "--index", "flat", "--recall", "0.9").returncode == 0
    assert json.loads(run("index", "--json").stdout)["wanted_recall"] == 0.9
    assert run("ingest", image_folder, "--index", "flat").returncode == 0


@pytest.fixture(scope="module")
def indexed(milvus_server: str) -> Iterator[str]:
    """The name of a collection on the server with 2,000 random vectors, indexed."""
    name = f"test_{uuid4().hex}"
    model = ColorEncoder().identity
    vectors = normalize(
        np.random.default_rng(0).standard_normal((2_000, model.dim), dtype=np.float32)
    )
    with Store.open(milvus_server) as store:
        images = store.create(name, model)
        images.upsert([row(f"/{n}.jpg", vector) for n, vector in enumerate(vectors)])
        images.finish_writes()
        wait_for_index(store.backend, images.info.milvus_name)
        yield name
        store.drop(name)


def test_an_index_of_a_server_is_tuned_without_its_model(
    run: Run, milvus_server: str, indexed: str
) -> None:
    place = ("--uri", milvus_server, "--collection", indexed)
    assert "tuned      no" in run("index", *place).stdout
    tuned = run("tune", *place, "--queries", "20", "--recall", "0.9")
    assert tuned.returncode == 0, tuned.stderr
    assert "measured without text queries" in tuned.stderr
    header, *lines = tuned.stdout.splitlines()
    assert header.split() == ["ef", "recall,", "images", "p50", "ms"]
    assert sum(line.endswith("<") for line in lines) == 1
    assert lines[-1].startswith("stored: ef ")
    shown = run("index", *place).stdout
    assert "tuned      ef " in shown
    assert "(wanted 0.9)" in shown


def test_a_collection_that_doubled_is_to_be_tuned_again(
    run: Run, milvus_server: str, indexed: str
) -> None:
    with Store.open(milvus_server) as store:
        index = store.collection(indexed).index
        index.set_tuning(Tuning("hnsw", 64, 0.9, 0.95, 10, 1.0, 1_000, "2026-01-01T00:00:00"))
    assert "`clipsearch tune` again" in run("index", "--uri", milvus_server, "-c", indexed).stdout
    assert (
        "was tuned at 1,000 images, now there are 2,000"
        in run("status", "--uri", milvus_server).stdout
    )


def test_another_index_for_an_existing_collection_is_an_error(
    run: Run, milvus_server: str, indexed: str, image_folder: Path
) -> None:
    place = ("--uri", milvus_server, "--collection", indexed)
    done = run("ingest", image_folder, *place, "--index", "diskann")
    assert done.returncode != 0
    assert "`clipsearch index --to diskann` replaces it" in one_line(done.stderr)
