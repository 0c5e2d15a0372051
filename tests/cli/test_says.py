"""`clipsearch query --says` and `similar --says`, alone and through a daemon."""

import csv
import io
import json
from pathlib import Path

import pytest

from clipsearch import Index
from clipsearch.cli.search import said_note
from clipsearch.query.response import Said
from clipsearch.store.texts import TextRow
from tests.helpers.commands import Run
from tests.helpers.daemons import serving
from tests.helpers.texts import BOX, image_text

TEXTS = {"red": ("IKEA Berlin", "Receipt\x1b[31m"), "green": ("ikeas",), "blue": ("Exit",)}


@pytest.fixture
def read(ingested: Run, tmp_path: Path) -> Run:
    """Run a command; the collection holds three images that were read."""
    with Index.open(tmp_path / "store" / "cli.db", daemon=False) as index:
        records = list(index.collection.scan())
        index.collection.texts.upsert(
            [TextRow(r.id, r.content_hash, image_text(*TEXTS[r.path.stem])) for r in records]
        )
    return ingested


def test_nothing_was_read(ingested: Run) -> None:
    done = ingested("query", "--says", "ikea")
    assert done.returncode == 0
    assert "no image was read yet: `clipsearch read`" in done.stderr


def test_words_are_found_and_shown(read: Run) -> None:
    table = read("query", "--says", "ikea").stdout.splitlines()
    assert [line.strip() for line in table[2::2]] == ['"IKEA Berlin"', '"ikeas" (prefix)']
    assert "red.png" in table[1]
    assert "green.png" in table[3]
    [line] = read("query", "--says", "ikea receipt", "--json").stdout.splitlines()
    assert json.loads(line)["says"] == [
        {"text": "IKEA Berlin", "box": list(BOX), "match": "word"},
        {"text": "Receipt\x1b[31m", "box": list(BOX), "match": "word"},
    ]
    assert "\x1b" not in read("query", "--says", "receipt").stdout
    [row] = csv.DictReader(io.StringIO(read("query", "--says", "exit", "--csv").stdout))
    assert json.loads(row["says"])[0]["text"] == "Exit"
    assert "no image shows 'exti'; the nearest" in read("query", "--says", "exti").stderr
    both = read("query", "green", "--says", "ikea", "--paths").stdout.splitlines()
    assert sorted(Path(path).stem for path in both) == ["green", "red"]
    similar = read("similar", "photos/red.png", "--says", "ikea", "--paths").stdout
    assert [Path(path).stem for path in similar.splitlines()] == ["green"]


def test_options_that_need_terms_are_refused(read: Run) -> None:
    for options in (["--min-score", "0.1"], ["--min-z", "1"], ["--textness", "1"]):
        done = read("query", "--says", "ikea", *options)
        assert done.returncode == 2
        assert "likeness" in done.stderr
    assert (
        "leaves out images with words"
        in read("query", "--says", "ikea", "--max-textness", "0.5").stderr
    )


def test_a_daemon_finds_the_same_and_knows_the_words_of_a_text(read: Run, tmp_path: Path) -> None:
    alone = read("query", "--says", "ikea", "--json").stdout
    with serving(tmp_path / "store" / "cli.db", idle=60):
        assert read("query", "--says", "ikea", "--json").stdout == alone
        assert "1 image says 'exit': --says exit" in read("query", "exit").stderr
        assert "says" not in read("query", "a red wall").stderr


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (Said("apple", 3), "3 images say 'apple': --says apple"),
        (Said("red apple", 1), "1 image says 'red apple': --says '\"red apple\"'"),
        (Said("x;rm", 1), "1 image says 'x;rm': --says 'x;rm'"),
    ],
)
def test_the_note_names_the_option_for_a_shell(said: Said, note: str) -> None:
    assert said_note(said) == note
