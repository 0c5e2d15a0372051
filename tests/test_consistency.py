"""Levels of consistency: their names, and what a read asks a server for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch import config
from clipsearch.consistency import LEVELS, parse_consistency
from clipsearch.errors import UsageError
from clipsearch.store import read_level


def test_a_level_is_given_or_set_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.choose_consistency() == "session"
    monkeypatch.setenv("CLIPSEARCH_CONSISTENCY", "bounded")
    assert config.choose_consistency() == "bounded"
    assert config.choose_consistency("strong") == "strong"


def test_an_unknown_level_is_an_error_that_lists_them() -> None:
    with pytest.raises(UsageError, match="strong, session, bounded, eventually, not 'fast'"):
        parse_consistency("fast")


@given(st.lists(st.tuples(st.sampled_from(("write", *LEVELS)), st.sampled_from("ab"))))
def test_a_session_reads_strongly_until_its_writes_were_seen(steps: list[tuple[str, str]]) -> None:
    read_level._unseen.clear()
    unseen = set()
    for step, collection in steps:
        if step == "write":
            read_level.note_write("server", collection)
            unseen.add(collection)
            continue
        with read_level.reading("server", collection, parse_consistency(step)) as level:
            expected = step
            if step == "session":
                expected = "strong" if collection in unseen else "bounded"
            assert level == expected.capitalize()
        if level == "Strong":
            unseen.discard(collection)
    assert {name for _, name in read_level._unseen} == unseen


def test_a_write_during_a_strong_read_is_still_unseen() -> None:
    read_level._unseen.clear()
    read_level.note_write("server", "a")
    with read_level.reading("server", "a", "session"):
        read_level.note_write("server", "a")
    with read_level.reading("server", "a", "session") as level:
        assert level == "Strong"


def test_a_failed_read_has_seen_nothing() -> None:
    read_level._unseen.clear()
    read_level.note_write("server", "a")
    with pytest.raises(OSError, match="lost"), read_level.reading("server", "a", "session"):
        raise OSError("lost")
    with read_level.reading("server", "a", "session") as level:
        assert level == "Strong"
