"""pymilvus without pandas, requests and scipy, which can still be imported."""

import subprocess
import sys

import pytest

SPARED = """
import logging, sys, threading
from clipsearch.startup import import_pymilvus

elsewhere = []

def get_logger(name=None):  # another thread imports the same module at the same time
    if {another} and not elsewhere and str(name).startswith("pymilvus.client"):
        thread = threading.Thread(target=lambda: elsewhere.append(__import__("requests").get))
        thread.start()
        thread.join()
    return usual(name)

usual, logging.getLogger = logging.getLogger, get_logger
client = import_pymilvus().MilvusClient
assert {another} or not {{"pandas", "requests", "scipy"}} & sys.modules.keys()
import pandas, requests
assert pandas.DataFrame([1]).shape == (1, 1)
from pymilvus.orm import schema
assert schema.is_list_like([1]) and not schema.is_list_like(1)
assert schema.pd.DataFrame is pandas.DataFrame
assert all(function is requests.get for function in elsewhere) and len(elsewhere) == {another}
"""


@pytest.mark.parametrize("another", [0, 1])
def test_importing_pymilvus_imports_nothing_unneeded(another: int) -> None:
    code = SPARED.format(another=another)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
