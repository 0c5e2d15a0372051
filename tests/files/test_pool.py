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


def test_results_come_in_order_whatever_takes_longest(pool: Pool) -> None:
    def step(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(ordered(pool, step, range(20), ahead=5)) == list(range(20))


def test_never_more_than_a_few_items_are_taken_ahead(pool: Pool) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    stream = ordered(pool, lambda number: number, numbers(), ahead=4)
    assert list(islice(stream, 10)) == list(range(10))
    assert len(taken) == 13


def test_what_is_done_does_not_wait_for_what_is_not_there_yet(pool: Pool) -> None:
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


def test_the_first_come_is_the_first_served() -> None:
    served: list[int] = []
    with Pool(threads=1) as pool:
        list(ordered(pool, served.append, range(500), ahead=100))
    assert served == list(range(500))


def test_a_closed_pool_drops_what_has_not_begun() -> None:
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


def test_a_stream_that_nobody_reads_to_its_end_lets_python_end() -> None:
    program = """
from clipsearch.files.pool import Pool, ordered

def numbers():
    with Pool() as pool:
        yield from ordered(pool, str, range(1000), ahead=8)

kept = numbers()
print(next(kept))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"0", b"")


def test_an_exception_reaches_the_one_who_asks(pool: Pool) -> None:
    stream = ordered(pool, lambda number: 1 // number, [1, 0], ahead=8)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_threads_that_wait_for_a_slow_disk_get_company(pool: Pool) -> None:
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
    with Pool(threads=1, max_threads=1) as one:
        for _ in ordered(one, lambda _: time.sleep(0.01), range(10), ahead=5):
            pass
        assert one.running == 1
