"""Read small text files such as lists of labels or queries."""

from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user
from clipsearch.text_encoding import decode_text


def numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """Read the non-empty lines of a text file, stripped, each with its line number.

    The encoding is UTF-8, or UTF-16 as Windows writes it. Raises UsageError if the file cannot be
    read or decoded.
    """
    path = expand_user(Path(path))
    try:
        text = decode_text(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{escape_control(str(path))} cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{escape_control(str(path))} is not UTF-8 text: save it as UTF-8"
        ) from error
    except ValueError as error:  # a NUL byte in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
    # str.splitlines also splits at characters that a line may contain (U+2028, U+0085).
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
