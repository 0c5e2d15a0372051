"""`clipsearch tag` and `query --tag`."""

import json
from pathlib import Path

import pytest

from tests.helpers.commands import Run, one_line

LABELS = ("-l", "a red wall", "-l", "green grass", "--label", "青い 海 🌊")


def test_a_collection_is_classified_tagged_and_filtered(ingested: Run, image_folder: Path) -> None:
    found = ingested("classify", *LABELS, "--glob", "red*", "--top", "1")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 1

    done = ingested("tag", *LABELS, "--threshold", "0", "--json")
    assert done.returncode == 0
    counts = {one["label"]: one["images"] for one in map(json.loads, done.stdout.splitlines())}
    assert sum(counts.values()) == 3
    assert "3 tagged, 0 without a tag, 3 changed" in done.stderr
    hits = ingested("query", "anything", "--tag", "a red wall", "--json").stdout.splitlines()
    assert len(hits) == counts["a red wall"] > 0
    assert json.loads(hits[0])["tags"] == ["a red wall"]

    wrong = ingested("query", "anything", "--tag", "a rde wall")
    assert wrong.returncode == 2
    assert "no image has the tag 'a rde wall'; " in one_line(wrong.stderr)
    assert "'a red wall'" in wrong.stderr

    listed = ingested("tag", "--list").stdout
    used = sorted((-count, label) for label, count in counts.items() if count)
    assert [line.split("  ")[0] for line in listed.splitlines()] == [label for _, label in used]
    assert "removed the tags of 3 images" in ingested("tag", "--clear").stderr
    assert ingested("tag", "--list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no labels"),
        (["--list", "--clear"], "exclude each other"),
        (["-l", "a", "-l", "b", "--list"], "exclude each other"),
        (["--list", "--under", "photos"], "whole collection"),
        (["--probe", "gone.probe"], "gone.probe cannot be read"),
        (["--label-file", "photos/red.png"], "not UTF-8 text"),
    ],
)
def test_usage_errors_of_tag_are_one_line(
    ingested: Run, arguments: list[str], message: str
) -> None:
    found = ingested("tag", *arguments)
    assert found.returncode == 2
    assert message in one_line(found.stderr)


def test_a_label_that_takes_most_images_is_a_reason_for_a_reminder(ingested: Run) -> None:
    both = ingested("tag", "-l", "a wall", "--threshold", "0", "-l", "Something Else")
    assert "took" not in both.stderr
    one = ingested("tag", "-l", "a picture of a plain color", "-l", "a map of Peru")
    assert "took 3 of 3 images" in one.stderr
    assert '-l "something else"' in one.stderr
