"""The server that the store's tests run on."""

from uuid import uuid4

import numpy as np
from pymilvus import MilvusClient


def test_a_real_server_stores_finds_counts_and_deletes(milvus_server: str) -> None:
    client = MilvusClient(milvus_server)
    name = f"test_{uuid4().hex}"
    client.create_collection(
        name, dimension=8, id_type="string", max_length=8, metric_type="COSINE", auto_id=False
    )
    try:
        rows = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
        client.upsert(name, [{"id": str(i), "vector": row.tolist()} for i, row in enumerate(rows)])
        found = client.search(name, [rows[5].tolist()], limit=1, consistency_level="Strong")
        assert found[0][0]["id"] == "5"
        client.delete(name, ids=["5"])
        counted = client.query(name, output_fields=["count(*)"], consistency_level="Strong")
        assert counted[0]["count(*)"] == 99
    finally:
        client.drop_collection(name)
        client.close()
