"""What is sent to servers that are newer than the one of the tests, for their kinds of index."""

from collections.abc import Iterable
from typing import Any, cast

import pytest
from pymilvus import MilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen.common_pb2 import KeyValuePair
from pymilvus.grpc_gen.milvus_pb2 import AlterCollectionRequest, CreateIndexRequest

from clipsearch.store.connection import MilvusConnection
from clipsearch.store.index.kinds import INDEX_KINDS
from clipsearch.store.index.operations import create_index, set_properties
from clipsearch.store.index.settings import kind_params


class Recorder:
    """A client of pymilvus that keeps what it would send."""

    prepare_index_params = staticmethod(MilvusClient.prepare_index_params)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.index: dict[str, str] = {}
        self.properties: dict[str, str] = {}

    def create_index(self, name: str, params: Any, **_: Any) -> None:
        """Encode the request as pymilvus does."""
        [index] = params
        values = index.get_index_configs()
        request: CreateIndexRequest = Prepare.create_index_request(
            name, index.field_name, values, index_name=index.index_name
        )
        self.index = decode(request.extra_params)

    def release_collection(self, name: str, **_: Any) -> None:
        self.calls.append("release")

    def load_collection(self, name: str, **_: Any) -> None:
        self.calls.append("load")

    def alter_collection_properties(
        self, name: str, *, properties: dict[str, str], **_: Any
    ) -> None:
        request: AlterCollectionRequest = Prepare.alter_collection_request(
            name, properties=properties
        )
        self.properties = decode(request.properties)
        self.calls.append("alter")


class Connection:
    """A connection with this client."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def client(self) -> Recorder:
        return self.recorder

    def client_for(self, name: str) -> Recorder:
        self.recorder.load_collection(name)
        return self.recorder

    def forget(self, name: str) -> None:
        self.recorder.calls.append("forget")


def decode(pairs: Iterable[KeyValuePair]) -> dict[str, str]:
    """The keys and values of a request."""
    return {pair.key: pair.value for pair in pairs}


@pytest.mark.parametrize(
    ("kind", "index_type", "build"),
    [
        ("hnsw_sq8", "HNSW_SQ", {"M": "16", "efConstruction": "200", "sq_type": "SQ8"}),
        ("ivf_rabitq", "IVF_RABITQ", {"nlist": "1024", "refine": "true", "refine_type": "SQ8"}),
        ("aisaq", "AISAQ", {}),
        ("gpu_cagra", "GPU_CAGRA", {"intermediate_graph_degree": "64", "graph_degree": "32"}),
        ("autoindex", "AUTOINDEX", {}),
    ],
)
def test_an_index_is_created_with_the_documented_names(
    kind: str, index_type: str, build: dict[str, str]
) -> None:
    recorder = Recorder()
    create_index(recorder, "images", "embedding", kind)
    assert recorder.index == {"index_type": index_type, "metric_type": "IP", **build}


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("hnsw_sq8", {"ef": 128}),
        ("ivf_rabitq", {"nprobe": 64, "refine_k": 4.0}),
        ("aisaq", {"search_list": 100}),
        ("gpu_cagra", {"itopk_size": 128}),
        ("autoindex", {"level": 1}),
    ],
)
def test_a_search_sends_the_documented_parameters(kind: str, params: dict[str, Any]) -> None:
    assert kind_params(INDEX_KINDS[kind], 10) == params


@pytest.mark.parametrize(
    ("mmap", "warmup", "properties"),
    [
        (True, None, {"mmap.enabled": "true"}),
        (False, None, {"mmap.enabled": "false"}),
        (None, True, {"warmup.vectorIndex": "sync"}),
        (True, False, {"mmap.enabled": "true", "warmup.vectorIndex": "disable"}),
    ],
)
def test_properties_are_set_while_the_collection_is_released(
    mmap: bool | None, warmup: bool | None, properties: dict[str, str]
) -> None:
    recorder = Recorder()
    connection = cast("MilvusConnection", Connection(recorder))
    set_properties(connection, "images", mmap=mmap, warmup=warmup)
    assert recorder.properties == properties
    assert recorder.calls == ["release", "forget", "alter", "load"]


def test_a_collection_is_loaded_again_if_its_properties_are_refused() -> None:
    class Refusing(Recorder):
        def alter_collection_properties(self, name: str, **_: Any) -> None:
            raise RuntimeError

    recorder = Refusing()
    connection = cast("MilvusConnection", Connection(recorder))
    with pytest.raises(RuntimeError):
        set_properties(connection, "images", mmap=True, warmup=None)
    assert recorder.calls[-1] == "load"
