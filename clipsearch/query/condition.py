"""Filters as a condition of the store, and the rows that they select."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsearch.files.paths import anchored, canonical
from clipsearch.query.expression import Node, fields_of
from clipsearch.query.expression_condition import expression_condition, matches_expression
from clipsearch.query.expression_parser import parse_expression
from clipsearch.query.filters import NO_FILTERS, Filters, fold
from clipsearch.query.place import Near
from clipsearch.query.spelling import stored_spellings
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.store.numbers import encode_degrees
from clipsearch.types import ImageRow


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters for one collection: a condition of the store, and what it cannot evaluate.

    `condition` is "" for no condition. `glob`, `near` and `expression` are None if the condition
    says it all; otherwise `matches` must be true as well.
    """

    condition: str
    glob: Filters | None = None
    near: Near | None = None
    expression: Node | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the condition alone selects the images."""
        return self.glob is None and self.near is None and self.expression is None

    def matches(self, record: ImageRecord) -> bool:
        """Whether a record that meets the condition is selected."""
        return (
            (self.glob is None or self.glob.matches_glob(record))
            and (self.near is None or self.near.contains(record.latitude, record.longitude))
            and (self.expression is None or matches_expression(self.expression, record))
        )


def select(filters: Filters, collection: Collection) -> Selection:
    """Compile filters for a collection.

    Raises StoreError if the collection is older than a field that they need.
    """
    node = parse_expression(filters.expression)
    collection.require_fields(_needed_fields(filters, node))
    in_store = expression_condition(node) if node is not None else ""
    conditions = [in_store or "", *_conditions(filters)]
    for folder in _folders(filters):
        spellings = stored_spellings(collection, folder)
        conditions.append(store_filters.any_of(*map(store_filters.in_folder, spellings)))
    if filters.camera is not None:
        conditions.append(_camera(filters.camera, collection))
    return Selection(
        condition=store_filters.all_of(*conditions),
        glob=Filters(glob=filters.glob) if filters.glob is not None else None,
        near=filters.near,
        expression=node if in_store is None else None,
    )


def select_rows(collection: Collection, filters: Filters = NO_FILTERS) -> Iterator[ImageRow]:
    """Each matching row with its embedding, in no order, one page in memory at a time."""
    selection = select(filters, collection)
    rows = collection.scan_rows(selection.condition)
    return filter(lambda row: selection.matches(row.record), rows)


def _needed_fields(filters: Filters, node: Node | None) -> set[str]:
    names = fields_of(node) if node is not None else set()
    if filters.tags:
        names.add("tags")
    if filters.near is not None:
        names |= {"latitude", "longitude"}
    if filters.camera is not None:
        names.add("camera")
    return names


def _folders(filters: Filters) -> Iterator[Path]:
    if filters.under is not None:
        yield canonical(filters.under)
    if filters.glob is not None and (anchor := anchored(filters.glob)):
        yield anchor[0]


def _conditions(filters: Filters) -> Iterator[str]:
    """Yield the conditions that need no look at the collection."""
    if filters.taken_from is not None:
        yield store_filters.taken_from(filters.taken_from)
    if filters.taken_before is not None:
        yield store_filters.taken_before(filters.taken_before)
    if filters.formats:
        yield store_filters.format_in(filters.formats)
    yield from map(store_filters.has_tag, filters.tags)
    for field, minimum in (
        ("width", filters.min_width),
        ("height", filters.min_height),
        ("size", filters.min_bytes),
    ):
        if minimum is not None:
            yield store_filters.at_least(field, minimum)
    if filters.max_bytes is not None:
        yield store_filters.at_most("size", filters.max_bytes)
    if filters.near is not None:
        yield _in_boxes(filters.near)


def _in_boxes(near: Near) -> str:
    boxes = []
    for box in near.boxes():
        south, north, west, east = map(encode_degrees, (box.south, box.north, box.west, box.east))
        latitude = store_filters.between("latitude", south, north)
        boxes.append(store_filters.all_of(latitude, store_filters.between("longitude", west, east)))
    return store_filters.any_of(*boxes)


def _camera(part: str, collection: Collection) -> str:
    """Match the cameras of the collection that contain this text, as Milvus has no such `like`."""
    wanted = " ".join(fold(part).split())
    cameras = set(collection.scan_field("camera", 'camera != ""'))
    matching = sorted(camera for camera in cameras if wanted in fold(camera))
    return store_filters.text_in("camera", matching) if matching else store_filters.NOTHING
