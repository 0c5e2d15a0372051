"""The pool of threads and the ordered stream through it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count, islice

import pytest

from clipsearch import cpu
from clipsearch.files.pool import Pool, ordered


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


def test_results_are_in_order_whatever_their_duration(pool: Pool) -> None:
    def step(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(ordered(pool, step, range(20), ahead=5)) == list(range(20))


def test_at_most_ahead_items_are_read_in_advance(pool: Pool) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    stream = ordered(pool, lambda number: number, numbers(), ahead=4)
    assert list(islice(stream, 10)) == list(range(10))
    assert len(taken) == 13


def test_a_finished_result_is_yielded_before_further_items_exist(pool: Pool) -> None:
    used = threading.Event()

    def numbers() -> Iterator[int]:
        deadline = time.monotonic() + 60
        while not used.is_set():
            assert time.monotonic() < deadline
            yield 1
            time.sleep(0.01)

    for _ in ordered(pool, lambda number: number, numbers(), ahead=100_000):
        used.set()
    assert used.is_set()


def test_steps_run_in_the_order_of_submission() -> None:
    served: list[int] = []
    with Pool(threads=1) as pool:
        list(ordered(pool, served.append, range(500), ahead=100))
    assert served == list(range(500))


def test_a_closed_pool_discards_steps_that_have_not_started() -> None:
    begun, go, served = threading.Event(), threading.Event(), []

    def step(number: int) -> None:
        begun.set()
        go.wait()
        served.append(number)

    pool = Pool(threads=1, max_threads=4)
    for number in range(10):
        pool.submit(step, number)
    begun.wait()
    threading.Timer(0.1, go.set).start()
    pool.close()
    assert served == [0]


def test_an_abandoned_stream_lets_python_exit() -> None:
    program = """
from clipsearch.files.pool import Pool, ordered

def numbers():
    with Pool() as pool:
        yield from ordered(pool, str, range(1000), ahead=8)

stream = numbers()
print(next(stream))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"0", b"")


def test_an_exception_is_raised_with_the_result(pool: Pool) -> None:
    stream = ordered(pool, lambda number: 1 // number, [1, 0], ahead=8)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_threads_are_added_while_steps_wait_for_a_slow_disk(pool: Pool) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def slow_read(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    for _ in ordered(pool, slow_read, range(200), ahead=64):
        pass
    assert most > cpu.available() + 1


def test_a_pool_of_fixed_size_keeps_it() -> None:
    with Pool(threads=1, max_threads=1) as pool:
        for _ in ordered(pool, lambda _: time.sleep(0.01), range(10), ahead=5):
            pass
        assert pool.running == 1
