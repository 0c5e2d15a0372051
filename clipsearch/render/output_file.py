"""Files for rendered results: the format by suffix, and atomic writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from clipsearch.cache import atomic_write
from clipsearch.errors import UsageError, write_error
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
HTML_SUFFIXES = (".html", ".htm")


def require_suffix(path: Path, suffixes: Sequence[str] = (*IMAGE_SUFFIXES, *HTML_SUFFIXES)) -> str:
    """Return the file suffix in lower case; raise UsageError unless it is one of `suffixes`."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise UsageError(
            f"cannot write {escape_control(str(path))}: "
            f"the file name must end in {', '.join(suffixes)}"
        )
    return suffix


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file that replaces `path` when the block succeeds.

    A leading ~ is expanded. On an exception an existing file stays as it was. Raises UsageError if
    the folder cannot be written, OutputError if the disk is full.
    """
    path = expand_user(path)
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except OSError as error:
        raise write_error(path.absolute(), error) from error


def save_image(image: Image.Image, path: Path, suffix: str) -> None:
    """Write `image` to `path` in the format of `suffix`, one of `IMAGE_SUFFIXES`."""
    if suffix in {".jpg", ".jpeg"}:
        image.save(path, "jpeg", quality=90, subsampling=0)
    else:
        image.save(path, suffix[1:], quality=90)
