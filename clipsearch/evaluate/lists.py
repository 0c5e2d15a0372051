"""Small text files of an evaluation: queries, and the names of classes."""

from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.identity import expanded
from clipsearch.terminal import safe


def read_queries(path: str | Path) -> list[str]:
    """The texts in a UTF-8 file, one a line, each once; raises UsageError where there are none."""
    texts = list(dict.fromkeys(_lines(Path(path))))
    if not texts:
        raise UsageError(f"{safe(str(path))} holds no queries: write one a line")
    return texts


def read_names(path: str | Path) -> dict[str, str]:
    """What class folders are called: each line a folder's name, a space or tab, its label.

    So `n02123045 tabby cat`. Raises UsageError on a line without a label.
    """
    names = {}
    for number, line in enumerate(_lines(Path(path)), 1):
        folder, *label = line.split(maxsplit=1)
        if not label:
            raise UsageError(f"{safe(str(path))}, line {number}: no label follows {folder!r}")
        names[folder] = label[0]
    return names


def _lines(path: Path) -> list[str]:
    path = expanded(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{safe(str(path))} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{safe(str(path))} is no UTF-8 text") from error
    return [line.strip() for line in text.split("\n") if line.strip()]
