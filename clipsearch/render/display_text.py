"""Strings as people see them: display width, shortening, paths and scores."""

from collections.abc import Callable
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.records import Hit

ELLIPSIS = "…"


def display_width(text: str) -> int:
    """The number of terminal columns of `text`, which must come from `escape_control`."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # 30 ms, and most file names are ASCII

    return wcswidth(text)


def pad(text: str, width: int) -> str:
    """Append spaces to `text` up to `width` terminal columns."""
    return text + " " * (width - display_width(text))


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """Replace the middle of `text` by an ellipsis until it `fits`.

    Both ends stay, because the start of a path and its end both identify the file.
    """
    if fits(text):
        return text
    shortest, longest = 0, len(text)
    while longest - shortest > 1:
        middle = (shortest + longest) // 2
        if fits(_without_middle(text, middle)):
            shortest = middle
        else:
            longest = middle
    return _without_middle(text, shortest)


def display_path(path: Path, relative_to: Path | None = None) -> str:
    """`path` with control characters escaped, relative to `relative_to` if it lies below."""
    if relative_to is not None and path.is_relative_to(relative_to):
        path = path.relative_to(relative_to)
    return escape_control(str(path))


def format_scores(hit: Hit) -> str:
    """The score, then z, p and textness if known: "0.312  z +4.1  p 0.92  text 0.02"."""
    z = "" if hit.z is None else f"  z {hit.z:+.1f}"
    textness = "" if hit.textness is None else f"  text {hit.textness:.2f}"
    p = "" if hit.p is None else f"  p {hit.p:.2f}"
    return f"{hit.score:.3f}{z}{p}{textness}"


def _without_middle(text: str, length: int) -> str:
    """The first and last characters of `text`, `length` in total, around an ellipsis."""
    start = length // 2
    end = text[len(text) - (length - start) :]
    while end and display_width(end[0]) == 0:  # an accent must not combine with the ellipsis
        end = end[1:]
    return text[:start] + ELLIPSIS + end
