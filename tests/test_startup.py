"""pymilvus without pandas, requests and scipy, which can still be imported."""

import os
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


def test_pymilvus_still_has_the_private_switch_that_is_used() -> None:
    """Without it `import_pymilvus` works, but each first query imports scipy.

    If it is gone, look how pymilvus.client.utils tells sparse vectors from others now, measure a
    cold query, and remove the switch from clipsearch.startup if the import does not cost 50 ms.
    """
    code = """
from clipsearch.startup import import_pymilvus
helper = import_pymilvus().client.utils.SciPyHelper
assert helper._checked and not helper._matrix_available and not helper._array_available
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_milvus_uri_of_the_user_is_ignored() -> None:
    code = """
import os
from clipsearch.startup import ignore_milvus_uri, import_pymilvus
ignore_milvus_uri()
assert os.environ["MILVUS_URI"] == ""
import_pymilvus()
os.environ["MILVUS_URI"] = "http://127.0.0.1:1"
ignore_milvus_uri()
assert os.environ["MILVUS_URI"] == "http://127.0.0.1:1"
"""
    environment = {**os.environ, "MILVUS_URI": "./milvus.db"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
