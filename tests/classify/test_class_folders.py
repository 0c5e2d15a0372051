"""Class folders: classes by folder name, each file in one class."""

import logging
from pathlib import Path

import pytest

from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.errors import UsageError
from tests.helpers.fakes import draw


def test_folders_are_classes(color_folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    (color_folders / ".hidden").mkdir()
    draw(color_folders / ".hidden" / "x.png")
    (color_folders / "empty").mkdir()
    draw(color_folders / "blue" / "more" / "deep.png", "blue")
    draw(color_folders / "loose.png")
    with caplog.at_level(logging.WARNING, logger="clipsearch"):
        found = find_class_folders(color_folders)
    assert {name: len(files) for name, files in found.items()} == {"blue": 6, "green": 5, "red": 5}
    assert "empty: it holds no images" in caplog.text
    assert readable_name("joshua_tree") == "joshua tree"
    assert readable_name("_") == "_"


@pytest.mark.parametrize("link", ["file", "folder"])
def test_one_file_in_two_class_folders_is_an_error(color_folders: Path, link: str) -> None:
    if link == "file":
        (color_folders / "green" / "other.png").symlink_to(color_folders / "blue" / "0.png")
        other = "green"
    else:
        (color_folders / "cyan").symlink_to(color_folders / "blue")
        other = "cyan"
    with pytest.raises(UsageError, match=rf"blue/0\.png is in two .*blue and .*/{other}: remove"):
        find_class_folders(color_folders)
