"""The image objects below a prefix of an object store."""

from collections.abc import Iterator
from dataclasses import dataclass

from clipsearch.files.discover import ImageFile
from clipsearch.files.exclude import JUNK_FOLDERS, Exclusion
from clipsearch.files.skipped import SkippedFiles
from clipsearch.files.walk import FileSelection, os_failure
from clipsearch.images.formats import SUFFIXES
from clipsearch.images.optional import missing_decoders
from clipsearch.locations.content import Content
from clipsearch.locations.object_store import list_objects, read_object
from clipsearch.remote_path import RemotePath
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """The bytes of an object."""

    path: RemotePath

    def read(self) -> Content:
        """Read them; raises OSError."""
        return Content.of_bytes(read_object(self.path))


def object_images(
    prefix: RemotePath, selection: FileSelection, skipped: SkippedFiles
) -> Iterator[ImageFile | Failure]:
    """Yield the images at or below a prefix by name; count other objects in `skipped`.

    Nothing is read. A prefix that cannot be listed is a Failure.
    """
    readable = SUFFIXES - missing_decoders().keys()
    exclusion = Exclusion(selection.exclude)
    try:
        for stored in list_objects(prefix):
            relative = str(stored.path).removeprefix(f"{prefix}/")
            if not _is_selected(relative, selection) or (
                exclusion and exclusion.matches(str(stored.path), relative)
            ):
                continue
            suffix = stored.path.suffix.lower()
            if suffix in readable:
                origin = RemoteObject(stored.path)
                yield ImageFile(stored.path, stored.size, stored.mtime_ns, origin)
            else:
                skipped.add(suffix)
    except OSError as error:
        yield os_failure(prefix, error, prefix="cannot be listed: ")


def _is_selected(relative: str, selection: FileSelection) -> bool:
    if selection.everything:
        return True
    *folders, name = relative.split("/")
    if name.startswith("."):
        return False
    return not any(part.startswith(".") or part.lower() in JUNK_FOLDERS for part in folders)
