"""Standard error, when Ctrl-C comes while a message is printed, and when nobody reads it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PRINT = """
import time, click
from clipsearch.cli.streams import prepare_process_streams
from clipsearch.interrupt import handle_signals
prepare_process_streams()
handle_signals()
for number in range(50):
    try:
        click.echo(f"line {number}", err=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="one processor for both: Linux")
def test_a_line_during_which_ctrl_c_comes_is_printed_once() -> None:
    processors = os.sched_getaffinity(0)
    # On one processor the reader runs, and sends the signal, before the writer's call returns.
    os.sched_setaffinity(0, {min(processors)})
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", PRINT],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        os.sched_setaffinity(0, processors)
    assert lines == [f"line {number}\n" for number in range(50)]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that do not block: POSIX")
def test_messages_that_nobody_reads_do_not_stop_a_process_whose_pipe_does_not_block() -> None:
    code = """
import os, sys
from clipsearch.cli.streams import prepare_process_streams
os.set_blocking(2, False)
prepare_process_streams()
for number in range(2000):
    print("x" * 999, file=sys.stderr)
"""
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stderr=write, timeout=60, check=False
        )
        assert done.returncode == 0
        assert os.read(read, 1000) == b"x" * 999 + b"\n"
    finally:
        os.close(read)
        os.close(write)
