"""The encoders that a daemon holds."""

import threading
import time

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


def test_texts_are_encoded_while_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    is_busy, may_finish = threading.Event(), threading.Event()

    class SlowEncoder(ColorEncoder):
        def encode_images(self, pixels: object) -> None:  # type: ignore[override]
            is_busy.set()
            assert may_finish.wait(10)

    monkeypatch.setattr(registry, "load", lambda *_: SlowEncoder())
    pool = EncoderPool()
    key = "slow", Runtime()
    ingest = threading.Thread(target=pool.call, args=(key, "encode_images", ["pixels"]))
    ingest.start()
    assert is_busy.wait(10)
    assert pool.call(key, "identity").name == "pocket"
    assert pool.call(key, "text_losses", ["red"]) is None
    assert pool.call(key, "encode_texts", ["red"]).shape == (1, 4)
    assert ingest.is_alive()
    may_finish.set()
    ingest.join()


def test_a_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def load(name: str, _: Runtime) -> ColorEncoder:
        loads.append(name)
        time.sleep(0.1)
        return ColorEncoder()

    monkeypatch.setattr(registry, "load", load)
    pool = EncoderPool()
    key = "slow", Runtime()
    threads = [threading.Thread(target=pool.call, args=(key, "identity")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["slow"]
