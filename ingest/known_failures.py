"""Remembered failures: a file that failed is read again only if something may have changed."""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path

from clipsearch.files.discover import ImageFile
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.types import FailedState, Failure


class KnownFailures:
    """The failures that a collection remembers, and the state in which files fail now."""

    def __init__(self, failures: Sequence[Failure], *, limits: Sequence[object]) -> None:
        """Take the failures of a collection; `limits` are the options that a failure depends on."""
        self._stored = frozenset(failures)
        self._by_id = {image_id(failure.path): failure for failure in failures if failure.state}
        self._limits = limits

    def find(self, id_: str, file: ImageFile) -> Failure | None:
        """Return the failure of a file with this id if it would fail in the same way again."""
        failure = self._by_id.get(id_)
        return failure if failure and failure.state == self.state(file) else None

    def within(self, folder: Path) -> list[Failure]:
        """Return the failures below a folder or in an archive."""
        return [failure for failure in self._stored if folder in failure.path.parents]

    def state(self, file: ImageFile) -> FailedState:
        """The state to remember for a file whose content cannot be used."""
        return FailedState(file.size, file.mtime_ns, self.conditions)

    def new(self, failures: Sequence[Failure]) -> list[Failure]:
        """Those of some failures that the collection does not remember like this."""
        return [failure for failure in failures if failure not in self._stored]

    @cached_property
    def conditions(self) -> str:
        """A hash of the limits, and of the versions of clipsearch and its packages.

        Another version may decode more; so may an optional package that is installed now.
        """
        try:
            requirements = metadata.requires("clipsearch") or []
        except metadata.PackageNotFoundError:  # a checkout that is not installed
            requirements = []
        names = {match[0] for line in requirements if (match := re.match(r"[\w.-]+", line))}
        versions = {name: _version(name) for name in ("clipsearch", *sorted(names))}
        return content_hash(json.dumps([versions, list(map(str, self._limits))]).encode())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
