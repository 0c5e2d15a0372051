"""Lists of paths name the files that they were made from, or are refused."""

import io
import os
import sys
from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.files.path_list import find_whole_disk, read_path_list

bytes_names = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
NAMES = "/data/a b.jpg\r\nC:\\Bilder\\Käfer.jpg\r\n/写真/一.png\r\n"
WITHOUT_END = NAMES.removesuffix("\r\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a.jpg\nb c.jpg\n", ["a.jpg", "b c.jpg"]),
        (b"a.jpg\r\n\r\n\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"a.jpg\0with\nbreak.jpg\0\0", ["a.jpg", "with\nbreak.jpg"]),
        ("写真.jpg\n".encode(), ["写真.jpg"]),
        (b"\xef\xbb\xbfa.jpg\r\n\xef\xbb\xbfb.jpg\r\n", ["a.jpg", "b.jpg"]),
        (b"\xef\xbb\xbfa.jpg\0b.jpg\0", ["a.jpg", "b.jpg"]),
        ("/a.jpg\0/b\n.jpg\0".encode("utf-16"), ["/a.jpg", "/b\n.jpg"]),
    ],
)
def test_path_lists_are_lines_or_nul_separated(content: bytes, expected: list[str]) -> None:
    assert read_path_list(io.BytesIO(content)) == [Path(name) for name in expected]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("text", [NAMES, WITHOUT_END, NAMES.replace("\r\n", "\n")])
def test_path_lists_may_be_in_any_unicode(encoding: str, text: str) -> None:
    paths = read_path_list(io.BytesIO(text.encode(encoding)))
    assert paths == [Path(name) for name in WITHOUT_END.split("\r\n")]


@bytes_names
def test_path_lists_keep_any_bytes() -> None:
    (path,) = read_path_list(io.BytesIO(b"caf\xe9.jpg\n"))
    assert os.fsencode(path) == b"caf\xe9.jpg"


def test_a_list_of_single_letters_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    letters = b"/\nd\na\nt\na\n/\nx\n"
    with pytest.raises(UsageError, match="single characters"):
        read_path_list(io.BytesIO(letters))
    for name in "dtax":
        (tmp_path / name).mkdir()
    assert len(read_path_list(io.BytesIO(letters))) == 7


def test_a_truncated_list_is_refused() -> None:
    with pytest.raises(UsageError, match="is damaged"):
        read_path_list(io.BytesIO("/data/a.jpg\n".encode("utf-16")[:-1]))


def test_a_whole_disk_and_a_home_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "users" / "me"
    (home / "images").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)
    (home / "link").symlink_to("/")
    for path in ("/", "//", "/.", "/../", "~", "~/", ".", "..", str(home), "link", str(tmp_path)):
        assert find_whole_disk([Path("x.jpg"), Path(path)]) == Path(path)
    assert find_whole_disk([Path("images"), Path("~/images"), Path("x.jpg")]) is None
