"""Small text files of an evaluation: queries, and the names of classes."""

from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.text_lines import numbered_lines


def read_queries(path: str | Path) -> list[str]:
    """The texts in a UTF-8 file, one a line, each once; raises UsageError where there are none."""
    texts = list(dict.fromkeys(line for _, line in numbered_lines(path)))
    if not texts:
        raise UsageError(f"{escape_control(str(path))} holds no queries: write one a line")
    return texts


def read_names(path: str | Path) -> dict[str, str]:
    """What class folders are called: each line a folder's name, a space or tab, its label.

    So `n02123045 tabby cat`. Raises UsageError on a line without a label.
    """
    names = {}
    for number, line in numbered_lines(path):
        folder, *label = line.split(maxsplit=1)
        if not label:
            raise UsageError(
                f"{escape_control(str(path))}, line {number}: no label follows {folder!r}"
            )
        names[folder] = label[0]
    return names
