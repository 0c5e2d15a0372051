"""`clipsearch eval` and `clipsearch explain` with the embedded model, on drawn pictures."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.evaluation import evaluate_textness
from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.render import comparison_chart, evaluation_table, heat_map
from clipsearch.textness import TextRenderer
from tests.helpers.commands import Done, Run, command
from tests.helpers.fakes import ColorEncoder, draw

COLORS = ("red", "green", "blue")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, with the embedded model."""
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "store" / "eval.db"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("clipsearch.explain.occlusion.WINDOW_SIZES", (1 / 2,))  # seconds, for tests
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        done = command(*arguments)
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def captions(photos: Path) -> Path:
    path = photos / "captions.csv"
    path.write_text("file,caption\n" + "".join(f"{c}.png,a {c} wall\n" for c in COLORS))
    return path


def test_retrieval_as_a_table_and_as_json(run: Run, captions: Path) -> None:
    table = run("eval", "retrieval", captions)
    assert table.returncode == 0, table.stderr
    assert table.stdout.startswith("retrieval · pocket · 3 images, 3 captions\n\ntext to image\n")
    assert "  median rank" in table.stdout
    found = json.loads(run("eval", "retrieval", captions, "--json", "--limit", "2").stdout)
    assert found["counts"] == {"images": 2, "captions": 2}
    assert set(found["text_to_image"]["R@5"]) == {"value", "low", "high"}


def test_a_missing_picture_is_a_warning_and_an_exit_code(run: Run, captions: Path) -> None:
    (captions.parent / "red.png").unlink()
    done = run("eval", "retrieval", captions)
    assert done.returncode == 3
    assert "1 of 3 images are skipped: red.png (no such file)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["retrieval", "nowhere.jsonl"], 2, "no such file"),
        (["retrieval", "photos/red.png"], 2, "not UTF-8"),
        (["retrieval", "photos/captions.csv", "--split", "val"], 2, "no splits"),
        (["retrieval", "photos/captions.csv", "--model", "nonsense"], 2, "unknown model"),
        (["zero-shot", "photos"], 2, "two or more folders"),
        (["zero-shot", "photos", "--template", "no slot"], 2, "has no {}"),
        (["agreement"], 2, "Missing argument"),
        (["agreement", "photos"], 2, "--reference"),
        (["agreement", "photos", "--reference", "pocket"], 2, "more than 20 images"),
        (["ann-recall", "photos"], 2, "unexpected extra argument"),
        (["ann-recall"], 1, "eval.db"),
        (["compare", "pocket"], 2, "nothing to compare on"),
        (["compare", "pocket", "pocket", "--captions", "x"], 2, "two or more different"),
        (["compare", "pocket", "clip", "--captions", "x", "-o", "x.pdf"], 2, "must end in"),
        (["textness", "photos"], 2, "two or more folders"),
    ],
)
def test_wrong_input_is_one_line(
    run: Run, captions: Path, arguments: list[str], code: int, words: str
) -> None:
    done = run("eval", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_zero_shot_and_agreement(run: Run, tmp_path: Path) -> None:
    for number, colour in enumerate(COLORS * 8):
        draw(tmp_path / "classes" / colour / f"{number}.png", colour, size=(30 + number, 30))
    found = run(
        "eval", "zero-shot", "classes", "--per-class", "2", "--template-set", "plain", "--json"
    )
    assert json.loads(found.stdout)["counts"] == {"images": 6, "classes": 3, "templates": 1}
    (tmp_path / "queries.txt").write_text("red\nblue\n")
    options = ("--reference", "pocket", "--queries", "queries.txt", "--json")
    same = run("eval", "agreement", "classes", *options)
    assert json.loads(same.stdout)["text_queries"]["mAP@10-20"]["value"] == 1
    assert run("ingest", "classes", "--quiet").returncode == 0
    exact = run("eval", "ann-recall")
    assert "recall@10" in exact.stdout, exact.stderr
    assert "100.0 %" in exact.stdout


def test_the_typographic_test_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, colour in enumerate(COLORS * 8):
        draw(tmp_path / colour / f"{number}.png", colour, size=(200 + number, 200))
    found = evaluate_textness(tmp_path, model=ColorEncoder(), writer=TextRenderer(fonts=()))
    assert dict(found.counts) == {"names": 3, "images": 12, "written": 30}
    # Colours cannot read: the things come first, and no word is taken for a thing.
    assert "does not separate images with text" in caplog.text
    assert found.measure("textness 0", "rank of the first, median").value == 1
    assert found.measure("textness 0", "the same without images of words").value == 1
    assert found.measure("classified by the bare names", "right without words").value == 1
    assert found.measure("classified by the bare names", "as the word").value == 0


def results() -> list[Evaluation]:
    """Two models' numbers."""

    def one(model: str, recall: float, rank: float) -> Evaluation:
        gain = Estimate(-0.01, -0.05, 0.02)
        return Evaluation(
            kind="retrieval",
            model=model,
            counts={"images": 500},
            measures=(
                Measure("text to image", "R@1", Estimate(recall, recall - 0.05, recall + 0.05)),
                Measure("text to image", "median rank", Estimate(rank, 1, 9), False, True),
                Measure("gain", "top-1", gain, is_difference=True),
            ),
        )

    return [one("pocket", 0.3, 6.5), one("<a very long name of a model>/tag", 0.6, 2)]


def test_a_comparison_marks_the_best() -> None:
    assert evaluation_table.comparison_rows(results()) == [
        ["", "pocket", "<a very long name of a model>/tag"],
        ["text to image"],
        ["R@1", "30.0 %", "60.0 %*"],
        ["median rank", "6.5", "2*"],
        ["gain"],
        ["top-1", "-1.0 %", "-1.0 %"],
    ]
    lines = evaluation_table.align_rows(evaluation_table.comparison_rows(results())).splitlines()
    assert lines[3].startswith("  R@1")
    assert lines[3].endswith("60.0 %*")


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_comparison_as_a_page_and_as_a_picture(tmp_path: Path, count: int) -> None:
    many = (results() * 4)[:count]
    comparison_chart.write_comparison(tmp_path / "c.html", many)
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "<a very" not in page
    comparison_chart.write_comparison(tmp_path / "c.png", many)
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.width == comparison_chart.WIDTH
        assert picture.height > 300


def test_explain_draws_prints_and_tells(run: Run, tmp_path: Path) -> None:
    draw(tmp_path / "photo.jpg", "red", size=(120, 40))
    done = run("explain", "a red wall", "photo.jpg", "-o", "map.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("score ")
    assert [line.split()[0] for line in done.stdout.splitlines()[3:]] == ["a", "red", "wall"]
    assert "heat map: map.png" in done.stderr
    with Image.open(tmp_path / "map.png") as picture:
        assert min(picture.size) > 100
    found = json.loads(run("explain", "red", "photo.jpg", "--json").stdout)
    assert (found["model"], found["method"], found["map"]) == ("pocket", "occlusion", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["red", "nowhere.jpg"], "no such image: nowhere.jpg"),
        (["", "photo.jpg"], "empty"),
        (["red", "photo.jpg", "-o", "map.pdf"], "must end in"),
        (["red", "photo.jpg", "--method", "patches"], "has no patch embeddings"),
        (
            ["red", "photo.jpg", "--model", "pocket", "-c", "mine"],
            "leave --model or --collection out",
        ),
    ],
)
def test_what_explain_refuses(run: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    draw(tmp_path / "photo.jpg", "red")
    done = run("explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_explain_takes_the_collections_model(run: Run, photos: Path) -> None:
    assert run("ingest", photos, "--quiet").returncode == 0
    done = run("explain", "red", photos / "red.png", "-c", "images")
    assert done.returncode == 0, done.stderr
    missing = run("explain", "red", photos / "red.png", "-c", "nothing")
    assert missing.returncode == 1
    assert "nothing" in missing.stderr


def test_a_long_query_in_any_script_fits_into_the_picture() -> None:
    import numpy as np

    words = [("傘" * 40, 0.2), *((f"word{n}", -0.01 * n) for n in range(30))]
    warm = np.linspace(0, 1, 200, dtype=np.float32).reshape(10, 20)
    for size in ((20, 10), (2000, 300), (300, 2000)):
        image = heat_map.draw_explanation(
            Image.new("RGB", size, "grey"), warm, title="a " * 300, note="n" * 300, words=words
        )
        assert 480 <= image.width <= 1300
