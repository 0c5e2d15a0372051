"""The errors of libraries: all of them, without hiding another."""

import subprocess
import sys

import pytest
from pymilvus import MilvusException
from pymilvus.exceptions import ParamError

from clipsearch.store.milvus_errors import foreign_errors

grpc = pytest.importorskip("grpc")
INTERRUPTED = """
import sys
from clipsearch.store.milvus_errors import foreign_errors

class Interrupt:
    def find_spec(self, name, *_):
        if name == "pymilvus.client.utils":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
try:
    try:
        import pymilvus
    except foreign_errors():
        pass
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    "error", [MilvusException, ParamError, grpc.RpcError, grpc.FutureTimeoutError, OSError]
)
def test_all_errors_of_a_call_are_known(error: type[Exception]) -> None:
    assert issubclass(error, foreign_errors())
    assert not issubclass(ValueError, foreign_errors())


def test_an_interrupted_import_is_not_hidden() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "interrupted\n", done.stderr
