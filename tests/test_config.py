"""Settings from the environment and config.toml, and the defaults of options they give."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clipsearch import Index, config
from clipsearch.errors import UsageError
from clipsearch.models.registry import choose_default

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the user's config.toml."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(path))

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_setting_comes_from_the_environment_then_from_config_toml(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('collection = "birds"\nprecision = "fp32"\nruntime = ""\n')
    assert config.default_collection() == "birds"
    assert config.default_precision() == "fp32"
    assert config.default_runtime() == "auto"
    assert config.find_setting("collection") == ("birds", str(path))
    monkeypatch.setenv("CLIPSEARCH_COLLECTION", "cats")
    assert config.find_setting("collection") == ("cats", "CLIPSEARCH_COLLECTION")
    monkeypatch.setenv("CLIPSEARCH_COLLECTION", "")
    assert config.default_collection() == "birds"


def test_the_built_in_defaults_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLIPSEARCH_CONFIG")
    monkeypatch.setattr("platformdirs.user_config_path", lambda _: Path("nowhere"))
    assert config.config_path() == Path("nowhere", "config.toml")
    assert config.read_config() == {}
    assert config.default_collection() == "images"
    assert config.default_uri().endswith("clipsearch.db")


def test_the_model_of_new_collections_comes_from_config_toml(write: Write) -> None:
    path = write('model = "pocket"\n')
    assert choose_default() == ("pocket", f"{path} names it")


def test_index_open_reads_the_same_settings(write: Write, tmp_path: Path) -> None:
    write(f'uri = "{(tmp_path / "own.db").as_posix()}"\ncollection = "birds"\n')
    with Index.open() as index:
        assert "'birds'" in repr(index)
        assert "own.db" in repr(index)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("collection = [1]", r"config\.toml: collection must be a string, not \[1\]"),
        ("collection =", r"config\.toml: not valid TOML: "),
    ],
)
def test_errors_name_the_file_and_the_key(write: Write, text: str, message: str) -> None:
    write(text)
    with pytest.raises(UsageError, match=message):
        config.default_collection()


def test_a_file_that_cannot_be_read_is_an_error(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"CLIPSEARCH_CONFIG: no such file: .*config\.toml"):
        config.read_config()
    write("").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        config.read_config()
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        config.read_config()
