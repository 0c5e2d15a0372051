"""`--existing` fills the list of hits, within bounds."""

from pathlib import Path

import pytest

from clipsearch.cli.existing import existing_hits
from clipsearch.records import MAX_RESULTS, Hit
from tests.helpers.records import row


@pytest.mark.parametrize("every", [1, 2, 7, 100_000])
@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (5, 3), (40, 100)])
def test_hits_are_those_that_exist(tmp_path: Path, every: int, limit: int, offset: int) -> None:
    names = [tmp_path / str(number) for number in range(500)]
    for name in names[::every]:
        name.touch()
    hits = [Hit(row(str(name), [1, 0, 0, 0]).record, 0.5) for name in names]
    counts = []

    def search(count: int) -> list[Hit]:
        counts.append(count)
        return hits[:count]

    found = existing_hits(search, limit=limit, offset=offset)
    assert [hit.path for hit in found] == names[::every][offset : offset + limit]
    assert len(counts) <= 8
    assert max(counts) <= MAX_RESULTS


def test_the_search_ends_if_no_file_exists() -> None:
    hits = [Hit(row(f"/nowhere/{n}", [1, 0, 0, 0]).record, 0.5) for n in range(20_000)]
    counts = []

    def search(count: int) -> list[Hit]:
        counts.append(count)
        return hits[:count]

    assert existing_hits(search, limit=10, offset=0) == []
    assert counts == [10, 40, 160, 640, 2_560, 10_240, MAX_RESULTS]
