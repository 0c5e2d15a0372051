"""The labels that somebody gives, checked and otherwise left as they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.text_lines import numbered_lines
from clipsearch.store.fields import LIST_TEXT_BYTES

SHOWN = 5


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, letter by letter; raise UsageError unless they are two or more different texts.

    Any language, spaces and emoji are fine; control characters and blank labels are not.
    """
    if isinstance(labels, str):
        raise UsageError("give a list of labels, not one text")
    if not labels:
        raise UsageError("no labels: give two or more, such as --label dog --label cat")
    for label in labels:
        if not label.strip():
            raise UsageError("a label is empty")
        if any(ch < " " or ch == "\x7f" or "\ud800" <= ch <= "\udfff" for ch in label):
            raise UsageError(f"a label cannot hold control characters or broken text: {label!r}")
        if len(label.encode()) > LIST_TEXT_BYTES:
            raise UsageError(f"a label is longer than {LIST_TEXT_BYTES} bytes: {label[:40]!r}…")
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        more = f" and {len(twice) - SHOWN} more" if len(twice) > SHOWN else ""
        raise UsageError(f"given twice: {', '.join(map(repr, twice[:SHOWN]))}{more}")
    if len(labels) == 1:
        raise UsageError(
            f"{labels[0]!r} alone is always certain: give a second label, what else a picture may be"
        )
    return tuple(labels)


def read_labels(path: Path) -> list[str]:
    """The labels in a text file, one a line, UTF-8; spaces around them and empty lines are dropped.

    Raises UsageError where it cannot be read, is no such text, or holds no label.
    """
    labels = [line for _, line in numbered_lines(path)]
    if not labels:
        raise UsageError(f"{escape_control(str(path))} holds no labels: write one a line")
    return labels
