"""The encoders that a daemon holds."""

import threading

import pytest

from clipsearch.daemon.encoder_pool import MAX_ENCODERS, EncoderPool
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from tests.helpers.fakes import ColorEncoder


def test_an_encoder_in_use_is_not_dropped_and_loaded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads: list[str] = []
    is_busy, may_finish = threading.Event(), threading.Event()

    class SlowEncoder(ColorEncoder):
        def encode_texts(self, texts: object) -> None:  # type: ignore[override]
            is_busy.set()
            may_finish.wait(10)

    def load(name: str, runtime: Runtime) -> ColorEncoder:
        loads.append(name)
        return SlowEncoder()

    monkeypatch.setattr(registry, "load", load)
    pool = EncoderPool()
    runtime = Runtime()
    slow = threading.Thread(target=pool.call, args=(("slow", runtime), "encode_texts", ["a"]))
    slow.start()
    assert is_busy.wait(10)
    for number in range(MAX_ENCODERS + 1):
        pool.call((f"other {number}", runtime), "identity")
    assert "slow" in pool.names
    assert len(pool.names) == MAX_ENCODERS
    may_finish.set()
    pool.call(("slow", runtime), "identity")
    slow.join()
    assert loads.count("slow") == 1
    assert len(pool.names) == MAX_ENCODERS
