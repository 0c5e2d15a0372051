"""Walking finds every image once, in order, and reports what cannot be read."""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.walk import FileSelection
from clipsearch.images.formats import SUFFIXES, sniff
from clipsearch.types import Failure

PLAIN = FileSelection()
PNG_HEAD = b"\x89PNG\r\n\x1a\n" + bytes(24)

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
bytes_names = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "images"


def plant(root: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(root: Path, selection: FileSelection = PLAIN, paths: Sequence[Path] = ()) -> list[str]:
    """The paths found, relative to the root; asserts that nothing fails and `count` agrees."""
    source = FileSource(paths or [root], selection)
    items = list(source)
    assert all(isinstance(item, ImageFile) for item in items), items
    assert source.count() == len(items)
    return [item.path.relative_to(root).as_posix() for item in items]


def failures(
    paths: Sequence[Path], selection: FileSelection = PLAIN, *, strict: bool = True
) -> list[tuple[str, str]]:
    """The failures by file name; asserts that `count` includes them."""
    source = FileSource(paths, selection, strict=strict)
    items = list(source)
    assert source.count() == len(items)
    return [(item.path.name, item.reason) for item in items if isinstance(item, Failure)]


def test_folders_are_walked_in_order_files_before_folders(root: Path) -> None:
    plant(root, "b/2.jpg", "b/10.jpg", "a/deep/er/x.png", "z.webp", "a/1.heic", "B.gif", "m.avif")
    assert names(root) == [
        *("B.gif", "m.avif", "z.webp"),
        *("a/1.heic", "a/deep/er/x.png", "b/10.jpg", "b/2.jpg"),
    ]


def test_an_image_file_has_size_mtime_and_absolute_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "sub/a.jpg", content=b"12345")
    os.utime(root / "sub" / "a.jpg", ns=(1, 1_700_000_000_123_456_000))
    monkeypatch.chdir(root)
    for path in (Path("sub"), Path("sub/a.jpg"), Path("sub/../sub/./a.jpg"), Path()):
        (item,) = FileSource([path])
        assert isinstance(item, ImageFile)
        assert item.path == root / "sub" / "a.jpg"
        assert item.size == 5
        assert abs(item.mtime_ns - 1_700_000_000_123_456_000) < 1000


def test_known_suffixes_match_in_any_case_and_others_are_ignored(root: Path) -> None:
    plant(root, "A.JPG", "b.JpEg", "c.Tiff", "d.jpg.txt", "e.pdf", "f.mp4", "jpg", "g.", "h.jpg~")
    assert names(root) == ["A.JPG", "b.JpEg", "c.Tiff"]


def test_files_without_a_suffix_are_recognized_by_their_first_bytes(root: Path) -> None:
    plant(root, "IMG_1", "folder.d/IMG_2", "IMG_3.", content=PNG_HEAD)
    plant(root, "README", "Makefile", content=b"all: nothing")
    plant(root, "empty", content=b"")
    plant(root, "archive.2019", content=PNG_HEAD)  # a suffix, though an unknown one
    assert names(root) == ["IMG_1", "IMG_3.", "folder.d/IMG_2"]


JUNK = ["@eaDir", ".git", "node_modules", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"]
JUNK += ["lost+found", "#recycle", ".Trash-1000", ".thumbnails", "Thumbnails", "thumbs", ".hidden"]


def test_junk_is_skipped_unless_everything_is_selected(root: Path) -> None:
    plant(root, *(f"{name}/a.jpg" for name in JUNK), "sub/._a.jpg", "sub/.b.jpg", "sub/c.jpg")
    assert names(root) == ["sub/c.jpg"]
    assert len(names(root, FileSelection(everything=True))) == len(JUNK) + 3


@pytest.mark.parametrize("name", JUNK)
def test_a_junk_folder_that_is_named_is_walked(root: Path, name: str) -> None:
    plant(root, f"{name}/a.jpg", f"{name}/@eaDir/b.jpg")
    assert names(root / name) == ["a.jpg"]


def test_a_file_that_is_named_is_included_whatever_its_name(root: Path) -> None:
    plant(root, "notes.txt", ".hidden", "@eaDir/x", "skip.jpg")
    paths = [root / name for name in ("notes.txt", ".hidden", "@eaDir/x", "skip.jpg")]
    found = names(root, FileSelection(exclude=("skip*",)), paths)
    assert found == ["notes.txt", ".hidden", "@eaDir/x", "skip.jpg"]


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("*.png", ["a.jpg", "2019/b.jpg", "2019/trip/d.jpg"]),
        ("trip", ["a.jpg", "2019/b.jpg", "2019/c.png"]),
        ("trip/", ["a.jpg", "2019/b.jpg", "2019/c.png"]),
        ("2019/*.jpg", ["a.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("2019/**/*.jpg", ["a.jpg", "2019/c.png"]),
        ("**/d.*", ["a.jpg", "2019/b.jpg", "2019/c.png"]),
        ("2019/**", ["a.jpg"]),
        ("2019", ["a.jpg"]),
        ("/a.jpg", ["2019/b.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("/b.jpg", ["a.jpg", "2019/b.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("20[0-9]9/?.jpg", ["a.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("", ["a.jpg", "2019/b.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("/", ["a.jpg", "2019/b.jpg", "2019/c.png", "2019/trip/d.jpg"]),
        ("images", ["a.jpg", "2019/b.jpg", "2019/c.png", "2019/trip/d.jpg"]),
    ],
)
def test_globs_exclude(root: Path, glob: str, left: list[str]) -> None:
    plant(root, "a.jpg", "2019/b.jpg", "2019/c.png", "2019/trip/d.jpg")
    assert names(root, FileSelection(exclude=("unused", glob))) == left


@pytest.mark.parametrize(
    "name", ["#recycled.jpg", "!important.jpg", "[draft.jpg", "x.jpg ", "back\\slash.jpg", "end\\"]
)
def test_names_with_characters_that_gitignore_interprets_can_be_excluded(
    root: Path, name: str
) -> None:
    plant(root, "a.jpg", f"{name}/b.jpg")
    assert len(names(root)) == 2
    for pattern in (name, f"{name}/b.jpg", f"{root}/{name}"):
        assert names(root, FileSelection(exclude=(pattern,))) == ["a.jpg"]


def test_overlapping_paths_yield_each_file_once(root: Path) -> None:
    plant(root, "a.jpg", "sub/b.jpg", "sub/c.jpg")
    paths = [root / "sub" / "c.jpg", root, root / "sub", root, root / "sub" / ".." / "a.jpg"]
    assert names(root, PLAIN, paths) == ["sub/c.jpg", "a.jpg", "sub/b.jpg"]


def test_a_file_excluded_in_one_root_can_be_found_in_another(root: Path) -> None:
    plant(root, "a.jpg", "sub/b.jpg")
    selection = FileSelection(exclude=("sub/*",))
    assert names(root, selection, [root, root / "sub"]) == ["a.jpg", "sub/b.jpg"]


def test_missing_paths_are_rejected_before_anything_is_found(root: Path) -> None:
    plant(root, "Holiday/beach.jpg")
    for path in (root / "holidy", root / "Holiday" / "Beach.jgp", root / "holidays" / "x" / "y"):
        with pytest.raises(UsageError, match=r"no such file or folder: .*did you mean") as caught:
            FileSource([root, path])
        assert str(path) in str(caught.value)
    with pytest.raises(UsageError, match=r"no such file or folder: \S+$"):
        FileSource([root / "unlike" / "x.jpg"])
    with pytest.raises(UsageError, match="no such file"):
        FileSource([root / "Holiday" / "beach.jpg" / "below a file.jpg"])
    with pytest.raises(UsageError, match="not a path"):
        FileSource([Path("a\0b")])


def test_missing_paths_of_a_list_are_failures_and_the_rest_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "a.jpg", "b.jpg")
    paths = [root / "gone.jpg", root / "a.jpg", root / "a.jpg" / "x", root / "gone.jpg"]
    paths += [Path("a\0b"), root / ("x" * 300), Path("~$x.jpg"), root / "b.jpg"]
    monkeypatch.chdir(root)
    assert failures(paths, strict=False) == [
        ("gone.jpg", "no such file"),
        ("x", "no such file"),
        ("a\0b", "not a path"),
        ("x" * 300, "file name too long"),
        ("~$x.jpg", "no such file"),
    ]
    found = [item.path for item in FileSource(paths, strict=False) if isinstance(item, ImageFile)]
    assert found == [root / "a.jpg", root / "b.jpg"]
    (missing, *_) = FileSource([root / ".." / "images" / "gone.jpg"], strict=False)
    assert missing == Failure(root / "gone.jpg", "no such file", "missing")
    with pytest.raises(UsageError, match=r"no such file or folder: ~\$x\.jpg$"):
        FileSource([Path("~$x.jpg")])


def test_paths_that_cannot_be_examined_are_failures(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "a.jpg", "locked/b.jpg")
    monkeypatch.setattr(os, "stat", denying(os.stat))
    monkeypatch.setattr(Path, "stat", denying(Path.stat))
    paths = [root / "a.jpg", root / "locked"]
    assert failures(paths) == [("locked", "permission denied")]
    assert FileSource(paths).roots == []


def denying(stat: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
    def deny(path: Path | str, *args: object, **options: object) -> os.stat_result:
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **options)

    return deny


def test_a_tilde_is_expanded_to_the_home_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "a.jpg")
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    assert names(root, PLAIN, [Path("~/images")]) == ["a.jpg"]
    assert names(root, PLAIN, [Path("~/images/a.jpg")]) == ["a.jpg"]
    assert FileSource([Path("~/images/a.jpg"), Path("~/images")]).roots == [root]


def test_no_paths_and_empty_folders_are_not_an_error(root: Path) -> None:
    root.mkdir()
    assert names(root) == []
    assert list(FileSource([])) == []
    assert FileSource([]).count() == 0


@posix
def test_links_to_files_keep_their_own_path(root: Path, tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere", "real.jpg", content=b"123")
    plant(root, "a.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "elsewhere" / "real.jpg")
    (root / "again.jpg").symlink_to("a.jpg")
    assert names(root) == ["a.jpg", "again.jpg", "link.jpg"]
    (item,) = FileSource([root / "link.jpg"])
    assert item == ImageFile(
        root / "link.jpg", 3, (tmp_path / "elsewhere" / "real.jpg").stat().st_mtime_ns
    )


@posix
def test_links_to_folders_are_followed_on_request_and_loops_end(root: Path, tmp_path: Path) -> None:
    other = tmp_path.resolve() / "other"
    plant(other, "o.jpg")
    plant(root, "sub/a.jpg")
    (root / "sub" / "up").symlink_to("..")
    (root / "self").symlink_to(root)
    (root / "twice").symlink_to("sub")
    (root / "other.jpg").symlink_to(other)  # a folder in spite of its name
    (other / "back").symlink_to(root)
    assert names(root) == ["sub/a.jpg"]
    following = FileSelection(follow_links=True)
    found = [item.path for item in FileSource([root], following)]
    assert found == [other / "o.jpg", root / "sub" / "a.jpg"]
    assert FileSource([root], following).count() == 2


@posix
def test_a_root_may_be_a_link_and_its_files_have_their_real_path(
    root: Path, tmp_path: Path
) -> None:
    plant(root, "sub/a.jpg")
    (tmp_path / "link").symlink_to(root)
    for path in (tmp_path / "link", tmp_path / "link" / "sub", tmp_path / "link" / "sub" / "a.jpg"):
        assert [item.path for item in FileSource([path])] == [root / "sub" / "a.jpg"]
    paths = [tmp_path / "link", root, root / "sub" / "a.jpg", tmp_path / "link" / "sub", root / "x"]
    assert FileSource(paths, strict=False).roots == [root, root / "sub"]


@posix
def test_a_folder_may_be_excluded_by_its_absolute_path(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "a.jpg", "private/b.jpg", "private/deep/c.jpg", "sub/private/d.jpg")
    (tmp_path / "link").symlink_to(root)
    monkeypatch.setenv("HOME", str(tmp_path))
    left = ["a.jpg", "sub/private/d.jpg"]
    for glob in (root / "private", f"{root}/private/", f"{root}/private/**", "~/link/private"):
        selection = FileSelection(exclude=(str(glob),))
        assert names(root, selection) == left
        assert names(root, selection, [root / "private"]) == []
        assert names(root, selection, [root / "private" / "deep", root / "sub"]) == left[1:]
        assert names(root, selection, [root / "private" / "b.jpg"]) == ["private/b.jpg"]
    assert names(root, FileSelection(exclude=(f"{root}/*/private",))) == [
        *("a.jpg", "private/b.jpg", "private/deep/c.jpg")
    ]
    assert names(root, FileSelection(exclude=(f"{root}/a.jpg", f"{root}/[ps]*"))) == []


@posix
def test_broken_links_are_failures_if_they_are_named_like_images(root: Path) -> None:
    plant(root, "a.jpg")
    (root / "gone.jpg").symlink_to("nowhere")
    (root / "lock").symlink_to("nowhere")
    (root / "gone.txt").symlink_to("nowhere")
    (root / "round.jpg").symlink_to("round.jpg")
    listed = dict(failures([root]))
    assert set(listed) == {"gone.jpg", "round.jpg"}
    assert listed["gone.jpg"] == "the link points to nothing"
    assert failures([root / "gone.jpg"]) == [("gone.jpg", "the link points to nothing")]
    assert FileSource([root, root / "gone.jpg"]).count() == 3


@posix
def test_pipes_sockets_and_devices_are_never_opened(root: Path) -> None:
    plant(root, "a.jpg")
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.jpg")
    (root / "to_pipe.jpg").symlink_to("pipe")
    (root / "to_device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root)  # the address of a socket is short
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(here)
        assert names(root) == ["a.jpg"]
    assert failures([root / "pipe.jpg"]) == [("pipe.jpg", "not a regular file")]


@bytes_names
def test_names_that_are_not_utf8_survive(root: Path) -> None:
    plant(root, os.fsdecode(b"caf\xe9/na\xefve.JPG"), "日本/写真.jpg", "line\nbreak.jpg")
    raw = os.fsencode(root)
    (item,) = FileSource([root / os.fsdecode(b"caf\xe9")], FileSelection(exclude=("*.png", "a/*")))
    assert os.fsencode(item.path) == raw + b"/caf\xe9/na\xefve.JPG"
    assert len(names(root)) == 3
    with pytest.raises(UsageError):
        FileSource([root / os.fsdecode(b"caf\xe8")])


def test_an_unreadable_folder_is_a_failure_and_the_rest_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, "a/1.jpg", "locked/2.jpg", "z/3.jpg")
    scandir = os.scandir

    def denying(path: str) -> Iterator["os.DirEntry[str]"]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denying)
    assert failures([root]) == [("locked", "cannot list the folder: permission denied")]
    assert failures([root / "locked"]) == [("locked", "cannot list the folder: permission denied")]
    assert len(list(FileSource([root]))) == 3


def test_files_and_folders_that_are_deleted_during_the_walk_are_failures(root: Path) -> None:
    plant(root, "a.jpg", "b.jpg", "sub/c.jpg")
    items = iter(FileSource([root]))
    assert isinstance(next(items), ImageFile)
    (root / "b.jpg").unlink()
    (root / "sub" / "c.jpg").unlink()
    (root / "sub").rmdir()
    assert [item.path.name for item in items if isinstance(item, Failure)] == ["b.jpg", "sub"]


def naive(root: Path, selection: FileSelection) -> set[Path]:
    """The same rules in a naive form, for trees without links."""
    found = set()
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if not path.is_file():
            continue
        if not selection.everything and any(
            part.startswith(".") or part.lower() in {"@eadir", "thumbs", "node_modules"}
            for part in (*parts[:-1], parts[-1] if parts[-1].startswith(".") else "")
        ):
            continue
        if any(fnmatch(part, glob) for part in parts for glob in selection.exclude):
            continue
        stem = path.name.lstrip(".")
        suffix = "." + stem.rsplit(".", 1)[1].lower() if "." in stem else ""
        if suffix in SUFFIXES or (suffix in ("", ".") and sniff(path.read_bytes())):
            found.add(path)
    return found


FOLDERS = st.sampled_from(["a", "b", "B", ".git", "@eaDir", "Thumbs", "x.jpg", "node_modules", "é"])
FILES = st.sampled_from(
    ["1.jpg", "1.JPG", "2.png", ".3.jpg", "._4.jpg", "note.txt", "5", "6.", "7"]
)
TREES = st.sets(st.tuples(st.lists(FOLDERS, max_size=3), FILES).map(lambda t: (*t[0], t[1])))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=TREES,
    exclude=st.lists(st.sampled_from(["*.png", "a", "[bB]", "1.*", "x*"]), max_size=2),
    everything=st.booleans(),
)
def test_any_tree_gives_what_a_naive_walk_gives(
    tree: set[tuple[str, ...]],
    exclude: list[str],
    everything: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("tree").resolve()
    for parts in tree:
        plant(root, "/".join(parts), content=PNG_HEAD if parts[-1] in ("5", "6.") else b"text")
    selection = FileSelection(exclude=tuple(exclude), everything=everything)
    found = [item.path for item in FileSource([root], selection)]
    assert len(found) == len(set(found)) == FileSource([root], selection).count()
    assert set(found) == naive(root, selection)
    below = [root / parts[0] for parts in tree if len(parts) > 1 and len(parts[0]) == 1]
    again = [item.path for item in FileSource([root, *below, root])]
    assert len(again) == len(set(again))


@pytest.mark.parametrize("seconds", [-(2**33), 2**33, 13_569_465_600, -13_569_465_600, -1, 0])
def test_any_time_of_a_file_fits_a_signed_64_bit_integer(root: Path, seconds: int) -> None:
    plant(root, "a.jpg", "b.jpg")
    os.utime(root / "a.jpg", (seconds, seconds))
    os.utime(root / "b.jpg", (seconds + 1, seconds + 1))
    kept = (root / "a.jpg").stat().st_mtime_ns  # what this file system can hold
    times = [item.mtime_ns for item in FileSource([root]) if isinstance(item, ImageFile)]
    assert all(-(2**63) <= time_ns < 2**63 for time_ns in times)
    assert (times[0] - kept) % 2**64 == 0
    assert (times[0] == times[1]) == (kept == (root / "b.jpg").stat().st_mtime_ns)
