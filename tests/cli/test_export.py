"""`clipsearch export` and `clipsearch import`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipsearch.store import Store
from tests.helpers.commands import Run, one_line

pa = pytest.importorskip("pyarrow", reason="pip install 'clipsearch[scale]'")
pq = pytest.importorskip("pyarrow.parquet")


def write_embeddings(path: Path, names: list[str], dim: int = 512) -> Path:
    vectors = np.random.default_rng(0).standard_normal((len(names), dim)).astype(np.float32)
    pq.write_table(pa.table({"file": names, "emb": list(vectors)}), path)
    return path


def test_an_exported_collection_is_restored_and_kept_current(
    ingested: Run, image_folder: Path
) -> None:
    done = ingested("export", "all.parquet")
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 images written to all.parquet (1 file)" in done.stderr
    done = ingested("import", "all.parquet", CLIPSEARCH_URI="new.db")
    assert (done.returncode, one_line(done.stderr)) == (0, "3 new")
    query = ("query", "a red square", "--json")
    assert ingested(*query, CLIPSEARCH_URI="new.db").stdout == ingested(*query).stdout
    again = ingested("ingest", image_folder, "--json", CLIPSEARCH_URI="new.db")
    assert json.loads(again.stdout)["unchanged"] == 3


def test_filters_choose_what_is_exported(ingested: Run, tmp_path: Path) -> None:
    done = ingested("export", "folder", "--glob", "red*", "--json")
    assert json.loads(done.stdout) == {
        "rows": 1,
        "files": [str(tmp_path / "folder" / "part-00000.parquet")],
        "damaged": 0,
    }
    assert ingested("import", "folder", "-c", "red").stderr == "1 new\n"
    assert json.loads(ingested("status", "--json").stdout)["collections"][1]["images"] == 1


def test_embeddings_made_elsewhere_are_searched(run: Run, tmp_path: Path) -> None:
    file = write_embeddings(tmp_path / "a.parquet", ["a.jpg", "b.jpg"])
    options = ("--model", "pocket", "--path-column", "file")
    done = run("import", file, *options, "--json")
    assert (done.returncode, json.loads(done.stdout)["stored"]) == (0, 2)
    assert "2 vectors did not have length 1 and were scaled" in done.stderr
    hits = [json.loads(line) for line in run("query", "dog", "--json").stdout.splitlines()]
    assert {hit["path"] for hit in hits} == {str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")}
    assert "2 unchanged" in run("import", file, *options).stderr


def test_rows_that_cannot_be_stored_are_named_and_change_the_exit_code(
    run: Run, tmp_path: Path
) -> None:
    vectors = np.eye(3, 512, dtype=np.float32)
    vectors[1] = 0
    table = pa.table({"path": ["a", "b", None], "v": list(vectors)})
    pq.write_table(table, tmp_path / "a.parquet")
    done = run("import", "a.parquet", "--model", "pocket")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "1 new, 2 failed",
        "failed: a.parquet: row 2: its vector is zero",
        "failed: a.parquet: row 3: it has no path",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("import a.parquet", 2, "--model"),
        ("import a.parquet --model pocket", 2, "--path-column"),
        ("import small.parquet --model pocket --path-column file", 2, "8 dimensions"),
        ("import a.parquet --model nonsense --path-column file", 2, "nonsense"),
        ("import nowhere.parquet", 2, "no such file"),
        ("import empty", 2, "no files that end in .parquet"),
        ("import all.parquet --model ViT-B-32/openai", 2, "vectors of pocket"),
        ("import all.parquet --root .", 2, "leave out"),
        ("export nowhere/a.parquet", 2, "cannot be written"),
        ("export full", 2, "exists"),
        ("export a.parquet --collection other", 1, "'images'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(
    ingested: Run, tmp_path: Path, arguments: str, code: int, message: str
) -> None:
    write_embeddings(tmp_path / "a.parquet", ["a.jpg"])
    write_embeddings(tmp_path / "small.parquet", ["a.jpg"], dim=8)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "sub").mkdir(parents=True)
    assert ingested("export", "all.parquet").returncode == 0
    new = {} if arguments.startswith("export") else {"CLIPSEARCH_URI": "new.db"}
    done = ingested(*arguments.split(), **new)
    assert message in one_line(done.stderr)
    assert done.returncode == code
    if Path("new.db").exists():
        with Store.open("new.db") as store:
            assert store.collections() == []


def test_without_pyarrow_one_line_says_how_to_install_it(
    ingested: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for arguments in (("export", "a.parquet"), ("import", "a.parquet")):
        done = ingested(*arguments)
        assert "pip install 'clipsearch[scale]'" in one_line(done.stderr)
        assert done.returncode == 2


def test_pyarrow_is_not_imported_by_other_commands(image_folder: Path) -> None:
    code = (
        "import sys; from clipsearch.cli.main import clipsearch, main; import clipsearch.index; "
        "import clipsearch.cli.export, clipsearch.cli.import_, clipsearch.cli.copy; "
        "print([name for name in sys.modules if name.partition('.')[0] == 'pyarrow'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "[]\n"
