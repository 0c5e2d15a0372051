"""Query images that are not files: from a URL or standard input, as temporary files."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from clipsearch.cli.messages import note
from clipsearch.errors import ClipsearchError, ImageError, UsageError
from clipsearch.files.paths import is_file, is_folder
from clipsearch.query import Term
from clipsearch.query.parser import RemoteImage, as_image, split_weight

STDIN = RemoteImage("-")

allow_private = click.option(
    "--allow-private",
    is_flag=True,
    help="Also download query images from private networks and this machine.",
)


def image_term(word: str) -> Term:
    """Parse an image that an option or argument names, `-` for standard input."""
    weight, name = split_weight(word)
    return Term(STDIN if name == "-" else as_image(name), weight)


def note_texts(terms: Sequence[Term]) -> None:
    """Say which texts are also the names of files or folders, or hold what may be operators."""
    for name in [term.content for term in terms if isinstance(term.content, str)]:
        for operator in "+-":
            if f" {operator} " in name:
                note(f'"{name}" is searched as one text; without quotes, {operator} is an operator')
        if is_file(Path(name)):
            note(f'"{name}" is searched as a text; write ./{name} for the file of this name')
        elif is_folder(Path(name)):
            note(f'"{name}" is searched as a text; --under {name} searches the folder of this name')


@contextmanager
def as_files(terms: Sequence[Term], *, allow_private: bool) -> Iterator[tuple[Term, ...]]:
    """Yield the terms with a temporary file for each image at a URL or on standard input.

    This process downloads them, not the daemon, which may have another network and other rights.
    Errors within the block name the URL in place of the file. Raises UsageError or ImageError if
    there is no image.
    """
    if not any(isinstance(term.content, RemoteImage) for term in terms):
        yield tuple(terms)
        return
    from clipsearch.temporary_folder import TemporaryFolder  # 4 ms

    names: dict[str, str] = {}
    with TemporaryFolder() as folder:
        located = []
        for number, term in enumerate(terms):
            if isinstance(term.content, RemoteImage):
                path = Path(folder, str(number), _file_name(term.content.url))
                path.parent.mkdir()
                path.write_bytes(_read(term.content.url, allow_private=allow_private))
                names[str(path)] = _display_name(term.content.url)
                term = replace(term, content=path)
            located.append(term)
        try:
            yield tuple(located)
        except ClipsearchError as error:
            message = str(error)
            for path_text, name in names.items():
                message = message.replace(path_text, name)
            raise type(error)(message) from error


def _read(url: str, *, allow_private: bool) -> bytes:
    if url == STDIN.url:
        data = b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
        if not data:
            raise UsageError("standard input holds no image: write clipsearch query -i - < IMAGE")
        return data
    from clipsearch.files.download import download  # late: it loads ssl and http

    try:
        return download(url, allow_private=allow_private)
    except ImageError as error:
        raise ImageError(f"{url}: {error}") from error


def _display_name(url: str) -> str:
    return "standard input" if url == STDIN.url else url


def _file_name(url: str) -> str:
    """A name for contact sheets: the last part of the URL."""
    name = re.sub(r"[?#].*", "", url).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", name)[-80:].lstrip(".-") or "image"
