"""The labels that somebody gives, checked and otherwise left as they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.identity import expanded
from clipsearch.store.layout import LIST_TEXT_BYTES

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
    path = expanded(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text: save the labels as UTF-8") from error
    # Not splitlines, which also cuts at characters that a label may hold (U+2028, U+0085).
    labels = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    labels = [label for label in labels if label]
    if not labels:
        raise UsageError(f"{path} holds no labels: write one a line")
    return labels
