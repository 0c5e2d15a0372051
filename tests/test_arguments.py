"""What Python callers give: the unambiguous is accepted, all else is refused by name."""

from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch import FileSelection, Filters, IngestOptions, Query, Term, arguments
from clipsearch.errors import ImageError, UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.models.embedding import embed_texts
from clipsearch.query.image_input import query_terms, to_content, to_contents
from tests.helpers.fakes import ColorEncoder, draw


def test_a_single_pattern_is_not_its_letters(tmp_path: Path) -> None:
    for name in ("a.png", "private.png"):
        draw(tmp_path / name, "red")
    source = FileSource([tmp_path], FileSelection(exclude="private*"))  # type: ignore[arg-type]
    names = [file.path.name for file in source if isinstance(file, ImageFile)]
    assert names == ["a.png"]
    assert FileSelection(exclude=["a", "b"]).exclude == ("a", "b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: FileSelection(exclude=3),  # type: ignore[arg-type]
        lambda: FileSelection(exclude=(b"a",)),  # type: ignore[arg-type]
        lambda: FileSelection(follow_links="no"),  # type: ignore[arg-type]
        lambda: IngestOptions(prune="no"),  # type: ignore[arg-type]
        lambda: IngestOptions(force=1),  # type: ignore[arg-type]
        lambda: IngestOptions(max_pixels="3"),  # type: ignore[arg-type]
        lambda: IngestOptions(max_pixels=0),
        lambda: Query((Term("dog"),), exclude_images="no"),  # type: ignore[arg-type]
        lambda: Filters(tags=3),  # type: ignore[arg-type]
        lambda: query_terms("dog", None, (1, "2")),  # type: ignore[arg-type]
        lambda: query_terms("dog", None, (1, float("nan"))),
        lambda: query_terms("dog", None, (1, 2, 3)),  # type: ignore[arg-type]
        lambda: to_contents({"a.jpg": 1}),
        lambda: to_content(StringIO("text")),
        lambda: to_content("ftp://x.org/a.jpg"),
        lambda: embed_texts(ColorEncoder(), ["a", "\ud800"]),
    ],
)
def test_what_is_ambiguous_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError):
        make()


def test_truth_values_of_numpy_are_accepted() -> None:
    assert IngestOptions(prune=np.True_).prune is True  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="x must be True or False"):
        arguments.flag("x", np.array([True]))


class Broken:
    def read(self) -> bytes:
        raise OSError("the disk is gone")


def test_an_open_file_that_gives_nothing_is_explained() -> None:
    closed, ended = BytesIO(b"data"), BytesIO(b"data")
    closed.close()
    ended.read()
    for file, reason in ((closed, "closed file"), (ended, r"seek\(0\)"), (Broken(), "gone")):
        with pytest.raises(ImageError, match=reason):
            to_content(file)
