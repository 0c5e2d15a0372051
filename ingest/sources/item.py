"""Item: what a source yields."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clipsearch.files.discover import ImageFile
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class UnchangedArchive:
    """An archive whose images were stored before and that has not changed since."""

    path: Path
    images: int


Item: TypeAlias = ImageFile | Failure | UnchangedArchive
"""What a source yields."""
