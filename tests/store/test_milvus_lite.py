"""The names of other libraries that the store uses though they are not documented."""

import importlib.util
from pathlib import Path

HELP = (
    "clipsearch.store.milvus_lite.python_server.PythonServer starts Milvus Lite 3 as pymilvus "
    "does. See how pymilvus.client.connection_manager starts it now, do the same there, and raise "
    "or lower the bound of milvus-lite in pyproject.toml"
)


def test_the_server_manager_of_milvus_lite_has_the_names_that_are_used() -> None:
    package = importlib.util.find_spec("milvus_lite")
    assert package is not None
    assert package.submodule_search_locations
    module = Path(package.submodule_search_locations[0]) / "server_manager.py"
    assert module.is_file(), HELP
    source = module.read_text("utf-8")  # importing it would need pkg_resources
    for name in ("server_manager_instance", "def start_and_get_uri(", "def release_server("):
        assert name in source, HELP
