"""The defaults of options that config.toml sets."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest

from tests.helpers.commands import command, one_line

Parse = Callable[..., dict[str, Any]]


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Return the values of a command's options under some config.toml, without running it."""
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config.toml"))
    values: dict[str, Any] = {}
    invoke = click.Command.invoke

    def record(command: click.Command, context: click.Context) -> None:
        if isinstance(command, click.Group):
            invoke(command, context)
        else:
            values.update(context.params)

    def parse(text: str, *arguments: str) -> dict[str, Any]:
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        values.clear()
        with monkeypatch.context() as patch:
            patch.setattr(click.Command, "invoke", record)
            done = command(*arguments)
        assert done.returncode == 0, done.stderr
        return dict(values)

    return parse


def test_a_table_sets_the_options_of_its_command(parse: Parse) -> None:
    text = """
        [query]
        limit = 20
        min-z = 4
        max_textness = 0.5
        textness = -1
        after = 2024-02-01
        tag = ["dog", "cat"]
        under = "~"
        json = true
        """
    values = parse(text, "query", "dog")
    assert (values["limit"], values["min_z"], values["max_textness"]) == (20, 4, 0.5)
    assert values["textness"] == -1
    assert values["taken_from"] == datetime(2024, 2, 1)
    assert values["tags"] == ("dog", "cat")
    assert values["under"] == Path.home()
    assert values["as_json"] is True
    assert parse(text, "similar", "x.jpg")["limit"] == 10


def test_top_level_keys_are_for_every_command_that_has_the_option(parse: Parse) -> None:
    text = 'device = "cpu"\ntoken = "a:b"\ncollection = "birds"\n[textness.rank]\nlimit = 3'
    values = parse(text, "textness", "rank")
    assert (values["device"], values["token"], values["collection"]) == ("cpu", "a:b", "birds")
    assert values["limit"] == 3
    assert parse(text, "models") == {"verbose": False, "as_json": False}


def test_the_command_line_and_the_environment_go_first(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        precision = "fp32"
        [query]
        limit = 20
        collection = "birds"
        precision = "bf16"
        """
    monkeypatch.delenv("CLIPSEARCH_PRECISION", raising=False)  # the tests' own
    assert parse(text, "query", "dog", "-n", "5")["limit"] == 5
    values = parse(text, "query", "dog")
    assert (values["collection"], values["precision"]) == ("birds", "bf16")
    monkeypatch.setenv("CLIPSEARCH_COLLECTION", "cats")
    monkeypatch.setenv("CLIPSEARCH_PRECISION", "int8")
    values = parse(text, "query", "dog")
    assert (values["collection"], values["precision"]) == ("cats", None)


def test_help_shows_the_defaults_of_config_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("[query]\nlimit = 77")
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config.toml"))
    assert "[default: 77" in command("query", "--help").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit = 3", "config.toml: limit: unknown key, neither an option"),
        ("query = 3", "config.toml: query: must be a table: write [query]"),
        ("device = 3", "config.toml: device: must be a string, not 3"),
        ('device = "gpu"', "config.toml: device: 'gpu' is not one of"),
        ('runtime = "gpu"', "config.toml: runtime: 'gpu' is not one of"),
        ("[query]\nlimits = 3", "config.toml: [query] limits: no option of `clipsearch query`"),
        ("[query]\nlimit = 0", "config.toml: [query] limit: 0 is not in the range"),
        ('[query]\nlimit = "3"', "config.toml: [query] limit: must be a whole number, not '3'"),
        ("[query]\nlimit = true", "config.toml: [query] limit: must be a whole number, not True"),
        ("[query]\njson = 1", "config.toml: [query] json: must be true or false, not 1"),
        ('[query]\ntag = "dog"', "config.toml: [query] tag: must be a list, not 'dog'"),
        ("[query]\ntextness = []", "config.toml: [query] textness: must be a string, a number or"),
        ('[query]\nafter = "soon"', "config.toml: [query] after: 'soon' is not a date"),
        ("[query", "config.toml: not valid TOML"),
    ],
)
def test_an_error_names_the_file_the_command_and_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config.toml"))
    done = command("query", "dog")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in one_line(done.stderr)


def test_an_unknown_command_of_a_group_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("[eval]\nlimit = 3")
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config.toml"))
    done = command("eval", "retrieval", "captions.jsonl")
    assert done.returncode == 2
    assert "[eval] limit: no command of `clipsearch eval`" in one_line(done.stderr)
    assert command("--help").returncode == 0
