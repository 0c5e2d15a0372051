"""Small text files that people write: labels, queries, names."""

from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user


def numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers, stripped, without empty ones.

    Raises UsageError where it cannot be read or is no such text.
    """
    path = expand_user(Path(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{escape_control(str(path))} cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{escape_control(str(path))} is no UTF-8 text: save it as UTF-8"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
    # Not splitlines, which also cuts at characters that a line may hold (U+2028, U+0085).
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
