"""What a server can do by its version, and Milvus Lite."""

import importlib.metadata

import pytest

from clipsearch.store import Store
from clipsearch.store.capabilities import (
    NEWEST,
    lite_capabilities,
    parse_version,
    server_capabilities,
)
from clipsearch.store.index.kinds import INDEX_KINDS

URI = "http://127.0.0.1:19530"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v2.3.5", (2, 3, 5)),
        ("2.6.22", (2, 6, 22)),
        ("v2.6.4-gpu", (2, 6, 4)),
        ("v3.0.1-rc1", (3, 0, 1)),
        ("2.6-20260404-31fb3fc", (2, 6, NEWEST)),
        ("Zilliz Cloud Vector Database(Compatible with Milvus 2.6)", (2, 6, NEWEST)),
        ("master-20260404-31fb3fc", (NEWEST,) * 3),
        ("unknown-20260608-7ea6e3526", (NEWEST,) * 3),
        ("", (NEWEST,) * 3),
    ],
)
def test_a_version_is_read_and_what_it_lacks_counts_as_new(
    text: str, version: tuple[int, int, int]
) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "features"),
    [
        ("v2.3.5", set()),
        ("v2.4.0", {"rest_import", "mmap"}),
        ("v2.5.27", {"rest_import", "mmap"}),
        ("v2.6.1", {"rest_import", "mmap"}),
        ("v2.6.3", {"rest_import", "mmap", "partial_upsert"}),
        ("v2.6.4", {"rest_import", "mmap", "partial_upsert", "warmup"}),
        ("v3.0.1", {"rest_import", "mmap", "partial_upsert", "warmup"}),
    ],
)
def test_features_start_with_a_version(version: str, features: set[str]) -> None:
    capabilities = server_capabilities(version, URI)
    names = ("rest_import", "mmap", "partial_upsert", "warmup")
    assert {name for name in names if getattr(capabilities, name)} == features
    assert not capabilities.is_local


def test_a_server_has_the_kinds_of_index_of_its_version() -> None:
    def kinds(version: str) -> frozenset[str]:
        return server_capabilities(version, URI).index_kinds

    assert kinds("v2.3.5") == {"flat", "hnsw", "ivf_flat", "ivf_sq8", "diskann"}
    assert kinds("v2.5.0") - kinds("v2.3.5") == {"hnsw_sq8", "gpu_cagra"}
    assert kinds("v2.6.0") - kinds("v2.5.0") == {"ivf_rabitq"}
    assert kinds("v2.6.4") - kinds("v2.6.0") == {"aisaq"}
    assert kinds("v3.0.1") == INDEX_KINDS.keys() - {"autoindex"}


@pytest.mark.parametrize(
    ("version", "uri"),
    [
        ("unknown-20260608-7ea6e3526", "https://in03-1c.api.gcp-us-west1.zillizcloud.com:19530"),
        ("2.6.4", "https://in03-1c.serverless.ali-cn-hangzhou.cloud.zilliz.com.cn"),
        ("Zilliz Cloud Vector Database(Compatible with Milvus 2.6)", URI),
    ],
)
def test_zilliz_cloud_chooses_the_index_itself(version: str, uri: str) -> None:
    capabilities = server_capabilities(version, uri)
    assert capabilities.index_kinds == {"autoindex"}
    assert capabilities.server == "Zilliz Cloud"


def test_another_host_is_not_taken_for_zilliz_cloud() -> None:
    uri = "http://zillizcloud.com.example.org:19530/zillizcloud.com"
    assert server_capabilities("v2.6.4", uri).server == "Milvus 2.6.4"


def test_milvus_lite_has_few_kinds() -> None:
    assert lite_capabilities(native=True).index_kinds == {"flat"}
    assert lite_capabilities(native=True).is_local
    assert {"flat", "hnsw"} <= lite_capabilities(native=False).index_kinds


def test_a_store_knows_its_milvus_lite(store: Store) -> None:
    version = importlib.metadata.version("milvus-lite")
    assert store.backend.capabilities() == lite_capabilities(native=version.startswith("2."))


def test_a_store_asks_a_server_once_for_its_version(
    milvus_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymilvus import MilvusClient

    with Store.open(milvus_server) as store:
        first = store.backend.capabilities()
        monkeypatch.delattr(MilvusClient, "get_server_version")
        assert store.backend.capabilities() is first
    assert first.server.startswith("Milvus ")
    assert "hnsw" in first.index_kinds
