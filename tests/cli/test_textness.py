"""`clipsearch textness` and `--textness` with the embedded model, on drawn images."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Index
from clipsearch.textness import collection_textness, self_supervised
from tests.helpers.commands import Run, one_line
from tests.helpers.text_encoder import draw_images

IMAGES_PER_CLASS = 40


@pytest.fixture(scope="module", autouse=True)
def small_fits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use smaller samples than the defaults, and no bundled probe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_supervised, "IMAGES_PER_CLASS", IMAGES_PER_CLASS)
        patch.setattr(
            collection_textness,
            "BUNDLED_PROBE",
            tmp_path_factory.mktemp("nothing") / "textness.json",
        )
        yield


@pytest.fixture(scope="module")
def dataset(small_fits: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, plain.db with them, and fitted.db with a probe too."""
    folder = tmp_path_factory.mktemp("dataset")
    draw_images(folder / "photos" / "with", 12, text=True)
    draw_images(folder / "photos" / "without", 12, text=False)
    with Index.open(folder / "plain.db", model="pocket") as index:
        index.ingest(folder / "photos")
    shutil.copy(folder / "plain.db", folder / "fitted.db")
    with Index.open(folder / "fitted.db") as index:
        index.textness.fit()
    return folder


@pytest.fixture
def ingested(run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on a copy of plain.db."""
    monkeypatch.setenv(
        "CLIPSEARCH_URI", str(shutil.copy(dataset / "plain.db", tmp_path / "plain.db"))
    )
    return run


@pytest.fixture
def fitted(run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on a copy of fitted.db."""
    monkeypatch.setenv("CLIPSEARCH_URI", str(shutil.copy(dataset / "fitted.db", tmp_path / "f.db")))
    return run


def test_the_first_query_fits_a_probe_for_later_ones(ingested: Run) -> None:
    plain = ingested("query", "a", "sign", "--json")
    assert all(json.loads(line)["textness"] is None for line in plain.stdout.splitlines())
    first = ingested("query", "a", "sign", "--textness", "-1", "--json")
    assert first.returncode == 0, first.stderr
    assert "no textness probe for pocket yet: fitting one" in first.stderr
    hits = [json.loads(line) for line in first.stdout.splitlines()]
    assert all(0 <= hit["textness"] <= 1 for hit in hits)
    again = ingested("query", "a", "sign", "--textness=-1", "--json")
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_query_and_similar_take_a_scale(fitted: Run, dataset: Path) -> None:
    image = dataset / "photos" / "with" / "003.png"
    for scale in ("-2", "0", "1e1", "OFF"):
        assert fitted("query", "blue", "+", image, "--textness", scale).returncode == 0
        assert fitted("similar", image, "--textness", scale, "-n", "3").returncode == 0
    table = fitted("query", "blue", "--max-textness", "0.5", "-n", "5").stdout.splitlines()
    assert table[0].split()[-2:] == ["text", "path"]
    assert all(float(line.split()[-2]) <= 0.5 for line in table[1:])
    header = fitted("query", "blue", "--textness", "0", "--csv").stdout.splitlines()[0]
    assert header.endswith(",textness")


@pytest.mark.parametrize("wrong", ["nan", "inf", "-inf", "much", ""])
def test_an_invalid_scale_is_a_usage_error(run: Run, wrong: str) -> None:
    done = run("query", "dog", "--textness", wrong)
    assert done.returncode == 2
    assert "finite number" in one_line(done.stderr)


def test_an_invalid_bound_is_a_usage_error(run: Run) -> None:
    done = run("query", "dog", "--max-textness", "nan")
    assert done.returncode == 2
    assert "textness must be a finite number" in one_line(done.stderr)


def test_show_prints_the_fitted_probe(ingested: Run) -> None:
    before = ingested("textness", "show")
    assert before.returncode == 2
    assert "clipsearch textness fit" in one_line(before.stderr)
    refused = ingested("textness", "fit", "--per-class", "9")
    assert refused.returncode == 2
    assert "x>=10" in one_line(refused.stderr)
    few = ingested("textness", "fit", "--per-class", "20", "--json")
    assert json.loads(few.stdout)["with_text"] == 20
    done = ingested("textness", "fit", "--json", "--force")
    fitted = json.loads(done.stdout)
    assert fitted["with_text"] == IMAGES_PER_CLASS
    shown = json.loads(ingested("textness", "show", "--json").stdout)
    assert {name: shown[name] for name in fitted} == fitted
    assert shown["cosines"]["a picture with text on it"] > shown["cosines"]["a photo of a dog"]
    text = ingested("textness", "show").stdout
    assert "pocket, 512 dimensions" in text
    assert "AUC" in text


def test_a_worse_fit_needs_force_and_reset_returns(fitted: Run, dataset: Path) -> None:
    before = json.loads(fitted("textness", "show", "--json").stdout)
    assert before["source"] == "store"
    photos = dataset / "photos"
    swapped = "--with-text", photos / "without", "--without-text", photos / "without"
    worse = fitted("textness", "fit", *swapped)
    assert worse.returncode == 1
    assert "the present one was kept" in worse.stderr or "does not separate" in worse.stderr
    good = "--with-text", photos / "with", "--without-text", photos / "without"
    assert fitted("textness", "fit", *good, "--force").returncode == 0
    assert json.loads(fitted("textness", "show", "--json").stdout)["with_text"] == 12
    assert "again" in fitted("textness", "reset", "--previous").stderr
    assert json.loads(fitted("textness", "show", "--json").stdout) == before
    assert "no textness probe" in fitted("textness", "reset").stderr
    assert fitted("textness", "show").returncode == 2
    assert fitted("textness", "reset").returncode == 2
    assert fitted("textness", "reset", "--previous").returncode == 0
    assert json.loads(fitted("textness", "show", "--json").stdout) == before


def test_a_probe_is_fitted_on_folders(ingested: Run, dataset: Path) -> None:
    image_folder = dataset / "photos"
    folders = "--with-text", image_folder / "with", "--without-text", image_folder / "without"
    probe = json.loads(ingested("textness", "fit", *folders, "--json").stdout)
    assert (probe["with_text"], probe["without_text"]) == (12, 12)
    for wrong, why in (
        (folders[:2], "without"),
        (("--with-text", image_folder / "nowhere", *folders[2:]), "nowhere"),
        (("--per-class", "50", *folders), "all given images are used"),
    ):
        done = ingested("textness", "fit", *wrong)
        assert done.returncode == 2
        assert why in one_line(done.stderr)


def test_images_are_ranked_by_text(fitted: Run) -> None:
    lines = fitted("textness", "rank", "-n", "24", "--json").stdout.splitlines()
    values = [json.loads(line)["textness"] for line in lines]
    assert len(values) == 24
    assert values == sorted(values, reverse=True)
    paths = fitted("textness", "rank", "-n", "8", "--paths").stdout.splitlines()
    assert sum("/with/" in path for path in paths) >= 6
    few = fitted("textness", "rank", "--glob", "*/without/*", "-n", "3", "--paths").stdout
    assert few.count("/without/") == 3


def test_the_figure_of_five_scales(fitted: Run, tmp_path: Path) -> None:
    for name in ("sign.png", "sign.html"):
        done = fitted("textness", "grid", "a", "sign", "-o", tmp_path / name, "-n", "4")
        assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sign.png") as figure:
        assert figure.width > 4 * 144
        assert figure.height > 5 * 144
    page = (tmp_path / "sign.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == 20
    assert page.count('style="--columns: 4"') == 5  # a scale on one row
    assert "a sign · textness −2" in page
    wrong = fitted("textness", "grid", "sign", "-o", tmp_path / "sign.txt")
    assert wrong.returncode == 2
    assert ".png" in one_line(wrong.stderr)
