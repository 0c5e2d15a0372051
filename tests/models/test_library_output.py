"""Silencing the model libraries while models load, also in threads at once."""

import logging
import threading
import warnings

import pytest
from huggingface_hub.utils import are_progress_bars_disabled

from clipsearch.errors import ModelError
from clipsearch.models.library_output import LIBRARIES, loading, quiet


def settings() -> tuple[object, ...]:
    """The settings of this process that `quiet` changes."""
    root = logging.getLogger()
    return (
        tuple(root.handlers),
        root.level,
        tuple(root.filters),
        tuple(logging.getLogger(name).level for name in LIBRARIES),
        tuple(warnings.filters),
        are_progress_bars_disabled(),
    )


def test_quiet_restores_what_it_changes() -> None:
    before = settings()
    with quiet():
        assert settings() != before
        with quiet():
            pass
        assert settings() != before
        with pytest.raises(ValueError, match="odd"), quiet():
            raise ValueError("odd")
        assert settings() != before
    assert settings() == before


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_overlapping_loads_restore_the_settings(first_to_end: int) -> None:
    before = settings()
    begun = [threading.Event(), threading.Event()]
    may_end = [threading.Event(), threading.Event()]

    def load(number: int) -> None:
        with quiet():
            begun[number].set()
            may_end[number].wait(10)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for number, thread in enumerate(threads):
        thread.start()
        assert begun[number].wait(10)
    for number in (first_to_end, 1 - first_to_end):
        assert settings() != before
        may_end[number].set()
        threads[number].join(10)
    assert settings() == before


def test_what_a_library_does_to_the_root_logger_is_undone() -> None:
    before, root = settings(), logging.getLogger()
    with quiet():  # as OpenVINO's conversion does
        root.setLevel(logging.ERROR)
        root.addFilter(lambda _: False)
    assert settings() == before


@pytest.mark.parametrize("silent", [None, "transformers", "open_clip.factory"])
def test_libraries_are_silent_and_nobody_else(
    silent: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with quiet():
        logging.getLogger(silent).error("about weights")
        logging.getLogger("clipsearch").warning("an image was skipped")
    logging.getLogger(silent).error("afterwards")
    assert caplog.messages == ["an image was skipped", "afterwards"]


def test_an_error_names_the_model_and_ends_in_the_hint() -> None:
    expected = pytest.raises(ModelError, match=r"^model clip cannot be loaded: a b; try again$")
    with expected, loading("clip", hint="try again"):
        raise RuntimeError("a\n  b")
