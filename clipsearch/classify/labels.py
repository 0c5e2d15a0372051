"""Labels as users give them: validated, and otherwise unchanged."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.text_lines import numbered_lines
from clipsearch.store.schema import LIST_TEXT_BYTES

MAX_NAMED = 5
"""Labels that an error message names."""


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels unchanged if they are valid.

    Raises UsageError unless they are two or more different texts. Any language, spaces and emoji
    are allowed; control characters and blank labels are not.
    """
    if isinstance(labels, str):
        raise UsageError("give a list of labels, not one text")
    labels = arguments.texts("labels", labels)
    if not labels:
        raise UsageError("no labels: give two or more, such as --label dog --label cat")
    for label in labels:
        if not label.strip():
            raise UsageError("a label is empty")
        if any(ch < " " or ch == "\x7f" or "\ud800" <= ch <= "\udfff" for ch in label):
            raise UsageError(
                f"a label must not contain control characters or invalid Unicode: {label!r}"
            )
        if len(label.encode()) > LIST_TEXT_BYTES:
            raise UsageError(f"a label is longer than {LIST_TEXT_BYTES} bytes: {label[:40]!r}…")
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    if repeated:
        raise UsageError(f"labels given twice: {name_some(repeated)}")
    if len(labels) == 1:
        raise UsageError(
            f"{labels[0]!r} is the only label, so its probability is always 1: give a second one"
        )
    return tuple(labels)


def read_labels(path: Path) -> list[str]:
    """Read labels from a UTF-8 text file, one per line, without surrounding spaces.

    Raises UsageError if the file cannot be read, is not such a text, or holds no labels.
    """
    labels = [line for _, line in numbered_lines(path)]
    if not labels:
        raise UsageError(f"{escape_control(str(path))} holds no labels: write one per line")
    return labels


def name_some(labels: Sequence[str]) -> str:
    """The first labels, quoted, and how many more there are, for an error message."""
    more = f" and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else ""
    return ", ".join(map(repr, labels[:MAX_NAMED])) + more
