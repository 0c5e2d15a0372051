"""Which files of records are opened for others."""

import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from clipsearch.errors import ImageError
from clipsearch.files.stored_file import decode_stored, open_stored_file
from tests.helpers.open_files import no_descriptor_left


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder `root` with sub/a.jpg, and a file `secret` beside it."""
    place = tmp_path.resolve()
    (place / "root" / "sub").mkdir(parents=True)
    (place / "root" / "sub" / "a.jpg").write_bytes(b"image")
    (place / "secret").write_bytes(b"secret")
    return place


def read(path: Path, *roots: Path) -> bytes:
    with open_stored_file(path, roots) as file:
        return file.read()


def test_a_file_below_a_root_is_opened(place: Path) -> None:
    assert read(place / "root/sub/a.jpg", place / "other", place / "root") == b"image"


@pytest.mark.parametrize("name", ["root", "root/sub"])
def test_a_root_that_became_a_link_leads_nowhere(place: Path, name: str) -> None:
    (place / name).rename(place / "moved")
    (place / name).symlink_to(place / "moved")
    with pytest.raises(ImageError, match="not in a folder of this collection"):
        read(place / "root/sub/a.jpg", place / name)


def test_a_link_within_the_roots_is_followed(place: Path) -> None:
    (place / "root" / "b.jpg").symlink_to("sub/a.jpg")
    assert read(place / "root/b.jpg", place / "root") == b"image"


def test_a_file_ingested_by_itself_is_opened(place: Path) -> None:
    assert read(place / "root/sub/a.jpg") == b"image"


@pytest.mark.parametrize("roots", [("root",), ("root/sub",), ()])
def test_a_file_that_became_a_link_to_elsewhere_is_not(place: Path, roots: tuple[str]) -> None:
    image = place / "root" / "sub" / "a.jpg"
    image.unlink()
    image.symlink_to(place / "secret")
    with pytest.raises(ImageError, match="not in a folder of this collection"):
        read(image, *(place / root for root in roots))


def test_nor_one_whose_folder_became_such_a_link(place: Path) -> None:
    (place / "root" / "sub").rename(place / "moved")
    (place / "root" / "sub").symlink_to(place / "moved")
    with pytest.raises(ImageError, match="not in a folder of this collection"):
        read(place / "root/sub/a.jpg", place / "root")


@pytest.mark.parametrize("name", ["root/../secret", "root/sub/../../secret"])
def test_nor_paths_that_leave_the_roots(place: Path, name: str) -> None:
    with pytest.raises(ImageError, match="not in a folder of this collection"):
        read(Path(f"{place}/{name}"), place / "root")


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.jpg", "missing"), ("a\0b", "not a path"), ("sub", "regular file")]
)
def test_the_reason_is_named(place: Path, name: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        read(place / "root" / name, place / "root")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place / "root" / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        read(place / "root/pipe.jpg", place / "root")


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="needs openat")
def test_a_folder_swapped_meanwhile_never_leads_outside(place: Path) -> None:
    folder, aside = place / "root" / "sub", place / "root" / "aside"
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "a.jpg").write_bytes(b"secret")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            folder.rename(aside)
            folder.symlink_to(place / "elsewhere")
            folder.unlink()
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    contents = Counter[bytes | None]()
    give_up = time.monotonic() + 60
    try:
        # While the machine is busy, the other thread may rest in one state for long.
        while contents.total() < 3_000 or min(contents[b"image"], contents[None]) < 20:
            try:
                contents[read(folder / "a.jpg", place / "root")] += 1
            except ImageError:
                contents[None] += 1
            assert time.monotonic() < give_up, contents
    finally:
        done.set()
        thread.join()
    assert contents.keys() == {b"image", None}


def test_no_descriptor_is_left_open(place: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("sub", "gone", "sub/a.jpg", "sub/a.jpg/b", "sub/gone"):
        try:
            read(place / "root" / name, place / "root")
        except ImageError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("spare", [0, 1])
def test_too_many_open_files_are_no_fault_of_the_file(place: Path, spare: int) -> None:
    with no_descriptor_left(spare), pytest.raises(OSError, match="Too many open files"):
        read(place / "root/sub/a.jpg", place / "root")
    assert read(place / "root/sub/a.jpg", place / "root") == b"image"


def test_a_file_that_has_become_huge_is_not_read(place: Path) -> None:
    path = place / "root/sub/a.jpg"
    os.truncate(path, 8 << 30)  # a sparse file
    with (
        open_stored_file(path, [place / "root"]) as file,
        pytest.raises(ImageError, match="too large"),
    ):
        decode_stored(file)
