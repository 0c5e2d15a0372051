"""The near-duplicates of the collection: for `/v1/duplicates`, and to group the hits of a search.

They are computed in a thread of their own, and kept while the collection stays as it is.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from clipsearch.index import Index
from clipsearch.query.near_duplicates import DuplicateGroup
from clipsearch.web.computations import Computations
from clipsearch.web.image_json import image_json


@dataclass(frozen=True, slots=True)
class DuplicateGroups:
    """The groups as JSON, largest first, and the number of the group of each image by id."""

    groups: list[dict[str, Any]]
    group_of: Mapping[str, int]


async def start_duplicates(computations: Computations) -> "asyncio.Task[DuplicateGroups]":
    """Return the computation for the present state of the collection; it may have finished."""
    return await computations.cached("duplicates", _find)


async def known_duplicates(computations: Computations) -> Mapping[str, int]:
    """Return the number of the group of each image by id; empty until they are computed.

    Starts the computation if need be, but does not wait for it.
    """
    task = await start_duplicates(computations)
    if not task.done() or task.cancelled() or task.exception() is not None:
        return MappingProxyType({})
    return task.result().group_of


def _find(index: Index) -> DuplicateGroups:
    groups = [] if index.find_collection() is None else index.duplicates()
    group_of = {
        record.id: number for number, group in enumerate(groups) for record in group.records
    }
    return DuplicateGroups(list(map(_group_json, groups)), group_of)


def _group_json(group: DuplicateGroup) -> dict[str, Any]:
    return {
        "images": list(map(image_json, group.records)),
        "similarity": group.similarity,
        "identical": group.identical,
    }
