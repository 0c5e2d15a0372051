"""Valid and invalid labels, and files of labels."""

from pathlib import Path

import pytest

from clipsearch.classify import (
    check_labels,
    read_labels,
)
from clipsearch.errors import UsageError


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "no labels"),
        (["a", ""], "empty"),
        (["a", "\u3000 "], "empty"),
        (["a", "b", "a"], "given twice: 'a'"),
        (["a"], "is the only label"),
        (["a", "b\nc"], "control"),
        (["a", "\udcff"], "invalid Unicode"),
        (["a", "x" * 2000], "longer than"),
        ("dog", "a list"),
    ],
)
def test_invalid_labels_raise_usage_error(labels: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_labels(labels)


def test_a_labels_file_has_utf8_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffねこ\r\n\r\n  hot dog \n🐕\u2028x\n".encode())
    assert read_labels(path) == ["ねこ", "hot dog", "🐕\u2028x"]
    path.write_bytes("ねこ".encode("shift_jis"))
    with pytest.raises(UsageError, match="UTF-8"):
        read_labels(path)
    path.write_text("\n \n")
    with pytest.raises(UsageError, match="holds no labels"):
        read_labels(path)
    with pytest.raises(UsageError, match=r"none\.txt cannot be read"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path)
