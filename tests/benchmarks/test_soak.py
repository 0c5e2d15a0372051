"""The soak measures this process, and tells growth from noise."""

import os
import random
import sys
import threading
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from benchmarks.soak import ALLOWED, ChangingFolder, Sample, growth, measure, report

NOISE = random.Random(1)


def samples(count: int, **growing: float) -> list[Sample]:
    """Samples with noise; measures of these names grow by so much from the first to the last."""
    base = Sample(300.0, 20, 8, 1.0, 0)
    result = []
    for number in range(count):
        noisy = replace(base, memory_mb=base.memory_mb + NOISE.uniform(-4, 4))
        grown = {
            name: getattr(noisy, name) + amount * number / (count - 1)
            for name, amount in growing.items()
        }
        result.append(replace(noisy, **grown))
    return result


@pytest.mark.parametrize("name", list(Sample.__dataclass_fields__))
def test_what_grows_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("flat", samples(100))
    assert "GROWS" not in capsys.readouterr().out
    assert not report("growing", samples(100, **{name: 4 * getattr(ALLOWED, name)}))
    lines = [line for line in capsys.readouterr().out.splitlines() if "GROWS" in line]
    assert [line.startswith(name.replace("_", " ")) for line in lines] == [True]


def test_what_grows_in_the_warm_up_only_is_flat() -> None:
    warming = [replace(sample, threads=min(8, n)) for n, sample in enumerate(samples(100))]
    assert growth(warming).threads == pytest.approx(0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_process_is_measured(tmp_path: Path) -> None:
    store = tmp_path / "x.db"
    store.write_bytes(bytes(2_000_000))
    before = measure([os.getpid()], store, tmp_path)
    assert before.memory_mb > 10
    assert (before.store_mb, before.temporary_files) == (2, 1)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with store.open("rb"):
        after = measure([os.getpid()], store, tmp_path)
    done.set()
    thread.join()
    assert (after.threads - before.threads, after.descriptors - before.descriptors) == (1, 1)


def test_the_folder_changes_and_keeps_its_size(tmp_path: Path) -> None:
    folder = ChangingFolder(tmp_path / "images")
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    folder.change()
    after = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    assert len(after) == len(before)
    assert after.keys() != before.keys()
    assert any(after[name] != before[name] for name in before.keys() & after.keys())
    assert len(astuple(ALLOWED)) == 5
