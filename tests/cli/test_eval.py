"""`clipsearch eval` with the embedded model, on drawn images."""

import json
from pathlib import Path

import pytest

from tests.helpers.commands import Run
from tests.helpers.fakes import draw

COLORS = ("red", "green", "blue")


pytestmark = pytest.mark.usefixtures("own_cache", "few_windows")


@pytest.fixture
def captions(image_folder: Path) -> Path:
    path = image_folder / "captions.csv"
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


def test_a_missing_image_is_a_warning_and_an_exit_code(run: Run, captions: Path) -> None:
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
        (["ann-recall"], 1, "cli.db"),
        (["compare", "pocket"], 2, "nothing to compare on"),
        (["compare", "pocket", "pocket", "--captions", "x"], 2, "two or more different"),
        (["compare", "pocket", "clip", "--captions", "x", "-o", "x.pdf"], 2, "must end in"),
        (["textness", "photos"], 2, "two or more folders"),
    ],
)
def test_usage_errors_of_eval_are_one_line(
    run: Run, captions: Path, arguments: list[str], code: int, words: str
) -> None:
    done = run("eval", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_zero_shot_and_agreement(run: Run, tmp_path: Path) -> None:
    for number, color in enumerate(COLORS * 8):
        draw(tmp_path / "classes" / color / f"{number}.png", color, size=(30 + number, 30))
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
