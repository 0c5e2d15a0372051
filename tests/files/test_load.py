"""Hashing and loading one file, and the failures of both."""

from pathlib import Path

import pytest

from clipsearch.files import load
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import HashedFile, LoadedImage, hash_file, load_image
from clipsearch.images.decode import decode
from clipsearch.images.hashing import content_hash
from clipsearch.types import Failure
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.open_files import no_descriptor_left


def image_file(path: Path) -> ImageFile:
    (file,) = FileSource([path])
    assert isinstance(file, ImageFile)
    return file


def sparse(path: Path, head: bytes, size: int) -> ImageFile:
    """A file that begins with `head` and takes no space on disk."""
    path.write_bytes(head)
    with path.open("r+b") as stream:
        stream.truncate(size)
    return image_file(path)


def never(*_: object) -> str:
    raise AssertionError("the content was read")


def test_an_image_is_hashed_and_loaded(tmp_path: Path) -> None:
    file = image_file(draw(tmp_path / "a.png", "red"))
    hashed = hash_file(file)
    assert isinstance(hashed, HashedFile)
    assert hashed.content_hash == content_hash(file.path.read_bytes())
    assert hashed.size == file.size
    image = load_image(hashed, encoder=ColorEncoder())
    assert isinstance(image, LoadedImage)
    assert (image.record.path, image.record.width, image.record.format) == (file.path, 32, "png")


@pytest.mark.parametrize(
    ("head", "size", "reason"),
    [
        (b"", 1 << 30, "begins with zeros only"),
        (b"#!/bin/sh\n", 1 << 30, "not an image in a known format"),
        (b"\xff\xd8\xff\xe0", 3 << 30, "too large for an image of at most 250,000,000 pixels"),
        (b"", 0, "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_an_image_is_rejected_by_its_first_bytes_and_size(
    head: bytes, size: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sparse(tmp_path / "a.jpg", head, size)
    monkeypatch.setattr(load, "file_hash", never)
    failure = hash_file(file)
    assert isinstance(failure, Failure)
    assert (failure.path, failure.kind) == (file.path, "invalid")
    assert reason in failure.reason


def test_a_file_beyond_a_smaller_limit_is_not_read_to_be_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = hash_file(sparse(tmp_path / "a.jpg", b"\xff\xd8\xff\xe0", 100_000))
    assert isinstance(hashed, HashedFile)
    monkeypatch.setattr(Path, "open", never)
    failure = load_image(hashed, encoder=ColorEncoder(), max_pixels=10_000)
    assert isinstance(failure, Failure)
    assert failure.kind == "invalid"
    assert "too large for an image of at most 10,000 pixels" in failure.reason


def test_a_file_that_changed_since_it_was_hashed_is_not_loaded(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", "red")
    hashed = hash_file(image_file(path))
    assert isinstance(hashed, HashedFile)
    draw(path, "green", size=(50, 50))
    failure = load_image(hashed, encoder=ColorEncoder())
    assert isinstance(failure, Failure)
    assert failure.kind == "changed"


def test_a_deleted_file_is_missing_and_an_unreadable_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = image_file(draw(tmp_path / "a.png", "red"))
    hashed = hash_file(file)
    assert isinstance(hashed, HashedFile)
    file.path.unlink()
    for result in (hash_file(file), load_image(hashed, encoder=ColorEncoder())):
        assert result == Failure(file.path, "it no longer exists", "missing")

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert hash_file(file) == Failure(file.path, "permission denied", "unreadable")


def test_too_many_open_files_are_no_failure_of_a_file(tmp_path: Path) -> None:
    file = image_file(draw(tmp_path / "a.png", "red"))
    hashed = hash_file(file)
    assert isinstance(hashed, HashedFile)
    encoder = ColorEncoder()
    assert isinstance(load_image(hashed, encoder=encoder), LoadedImage)  # imports what it needs
    with no_descriptor_left():
        for attempt in (
            lambda: hash_file(file),
            lambda: load_image(hashed, encoder=encoder),
            lambda: decode(file.path),
            lambda: list(FileSource([tmp_path])),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                attempt()
