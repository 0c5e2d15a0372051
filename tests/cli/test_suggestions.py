"""What a user may have meant by an unknown command, option or image."""

from pathlib import Path

import pytest

from clipsearch.cli.main import COMMANDS
from clipsearch.cli.suggestions import COMMAND_SYNONYMS
from tests.helpers.commands import Run, one_line
from tests.helpers.fakes import draw


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "dog"], "did you mean `clipsearch query`?"),
        (["serch"], "did you mean `clipsearch query`?"),
        (["qurey"], "did you mean `clipsearch query`?"),
        (["list"], "did you mean `clipsearch status`?"),
        (["delete"], "did you mean `clipsearch remove`?"),
        (["dedupe"], "did you mean `clipsearch duplicates`?"),
        (["help"], "did you mean `clipsearch --help`?"),
        (["version"], "did you mean `clipsearch --version`?"),
        (["diagnose"], "did you mean `clipsearch doctor`?"),
        (["cache"], "did you mean `clipsearch status`?"),
        (["probe", "train"], "did you mean `clipsearch probe fit`?"),
        (["textness", "status"], "did you mean `clipsearch textness show`?"),
        (["query", "dog", "--formt", "jpeg"], "did you mean --type?"),
        (["classify", "--probe", "x"], "No such option '--probe' (see clipsearch classify --help)"),
        (["query", "dog", "-n", "0"], "x>=1 (see"),
        (["a", "red", "dog"], "write clipsearch query a red dog;"),
        (["blue", "dog"], "write clipsearch query blue"),
        (["a red dog"], 'write clipsearch query "a red dog"'),
        (["photos"], "write clipsearch ingest photos"),
        (["probe", "fitt"], "did you mean `clipsearch probe fit`?"),
        (["probe", "xyz"], "the commands are"),
        (["query", "dog", "--model", "clip"], "the collection knows its model"),
        (["index", "photos"], "clipsearch ingest PATH"),
        (["query", "dog", "--top", "3"], "did you mean --limit?"),
        (["query", "dog", "--limt", "3"], "did you mean --limit?"),
        (["query", "-5 degrees"], "write -- before a text"),
        (["query", "cold", "-5", "degrees"], "write -- before a text"),
        (["query", "-night sky"], "write -- before a text"),
        (["query", "dog", "--max-textness", "7"], "0<=x<=1"),
        (["query", "dog", "--max-textness", "nan"], "finite"),
        (["query", "dog", "--min-bytes", "9" * 30], "larger than any file"),
        (["query", "dog", "--min-width", "9" * 400], "out of range"),
        (["query", "nowhere.jpg"], "nor the name of an image in the collection"),
        (["query", "./red.png"], "the collection has"),
        (["query", "notes.txt"], "not an image that can be read"),
        (["query", "./photos"], "--under ./photos"),
        (["query", "https://127.0.0.1/a.png"], "--allow-private"),
        (["query", "--image", "-"], "standard input holds no image"),
    ],
)
def test_the_message_says_what_to_write(
    ingested: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "notes.txt").write_text("a note")
    done = ingested(*arguments)
    assert message in one_line(done.stderr)
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_word_with_a_hyphen_that_is_an_option_is_explained(ingested: Run) -> None:
    for word in ("cat", "indoors"):
        done = ingested("query", "dog", f"-{word}")
        assert f"to subtract a text, write - {word})" in one_line(done.stderr)
    assert "subtract" not in ingested("query", "dog", "-c", "at").stderr


def test_synonyms_name_commands_and_are_none() -> None:
    words = [word for line in COMMAND_SYNONYMS.values() for word in line.split()]
    assert COMMAND_SYNONYMS.keys() <= COMMANDS.keys()
    assert not set(words) & COMMANDS.keys()
    assert len(words) == len(set(words))


def test_an_image_is_found_by_its_file_name(ingested: Run, image_folder: Path) -> None:
    assert ingested("query", "red.png", "-n", "1", "--paths").stdout == f"{image_folder}/red.png\n"
    assert f"{image_folder}/red.png" not in ingested("similar", "red.png", "--paths").stdout
    draw(image_folder / "deep" / "red.png", "red")
    assert ingested("ingest", image_folder).returncode == 0
    done = ingested("query", "red.png")
    assert done.returncode == 2
    assert "2 images are named red.png" in one_line(done.stderr)


def test_a_file_named_like_the_text_is_mentioned(ingested: Run, tmp_path: Path) -> None:
    (tmp_path / "red").write_text("a note")
    done = ingested("query", "red", "-n", "1")
    assert done.returncode == 0
    assert "write ./red for the file" in one_line(done.stderr)
    assert ingested("query", "red", "-n", "1", "-q").stderr == ""
    (tmp_path / "green").mkdir()
    assert "--under green searches the folder" in one_line(ingested("query", "green").stderr)


def test_an_image_comes_from_standard_input(ingested: Run, image_folder: Path) -> None:
    data = (image_folder / "blue.png").read_bytes()
    done = ingested("query", "-i", "-", "-n", "1", "--paths", stdin=data)
    assert done.stdout == f"{image_folder}/blue.png\n"
    broken = ingested("query", "-i", "-", stdin=b"no image")
    assert broken.returncode == 1
    assert one_line(broken.stderr).startswith("clipsearch: standard input: ")


def test_every_command_has_the_option_quiet(ingested: Run) -> None:
    done = ingested("query", "赤い傘", "-q", "--min-z", "99")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ["query", "status", "probe fit", "eval retrieval", "textness rank", "drop"]:
        assert "--quiet" in ingested(*name.split(), "--help").stdout, name
