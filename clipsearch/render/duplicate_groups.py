"""Groups of duplicates as text, JSON, CSV, and sections of a contact sheet."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.query.near_duplicates import DuplicateGroup
from clipsearch.records import Hit, ImageRecord
from clipsearch.render.display_text import display_path
from clipsearch.render.result_section import Section, Tile

CSV_FIELDS = ("group", "similarity", "identical", "path", "id", "width", "height", "size")
"""The columns of `groups_csv`."""


def group_text(group: DuplicateGroup, relative_to: Path) -> str:
    """A line about the group, then one per file: path, sides in pixels, size; and a blank line."""
    lines = [
        f"  {display_path(record.path, relative_to)}  {_size(record)}" for record in group.records
    ]
    return "\n".join([_title(group), *lines, ""])


def group_json(group: DuplicateGroup) -> str:
    """One line of ASCII JSON: similarity, identical, files; paths as in `hit_json`."""
    files = [
        {
            "path": str(record.path),
            "id": record.id,
            "width": record.width,
            "height": record.height,
            "size": record.size,
        }
        for record in group.records
    ]
    similarity = round(group.similarity, 6)
    return json.dumps({"similarity": similarity, "identical": group.identical, "files": files})


def groups_csv(groups: Sequence[DuplicateGroup]) -> str:
    """A header, then one line per file; groups are numbered from 1."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for number, group in enumerate(groups, 1):
        similarity, identical = round(group.similarity, 6), str(group.identical).lower()
        writer.writerows(
            (number, similarity, identical, r.path, r.id, r.width, r.height, r.size)
            for r in group.records
        )
    return buffer.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def group_sections(groups: Sequence[DuplicateGroup]) -> list[Section]:
    """A section for each group, with the sides and the size of its images as captions."""
    return [
        GroupSection(f"{number}: {_title(group)}", [Hit(record, 1.0) for record in group.records])
        for number, group in enumerate(groups, 1)
    ]


@dataclass(frozen=True, slots=True)
class GroupSection(Section):
    """A group of duplicates."""

    def tiles(self) -> list[Tile]:
        """A tile for each image; the first one has the most pixels."""
        return [
            Tile(
                hit.path,
                str(rank),
                _size(hit.record),
                escape_control(hit.path.name),
                is_query=False,
            )
            for rank, hit in enumerate(self.hits, 1)
        ]


def _title(group: DuplicateGroup) -> str:
    return "identical files" if group.identical else f"similarity {group.similarity:.3f} or more"


def _size(record: ImageRecord) -> str:
    return f"{record.width}x{record.height}  {record.size / 1e3:,.0f} kB"
