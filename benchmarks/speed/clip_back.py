"""The server of clip-retrieval, `clip-back`, in its own environment."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.speed.http_load import START_SECONDS, Client, Server
from benchmarks.speed.peers import install_clip_retrieval
from clipsearch.types import Vectors

INDEX = "images"

MAKE_INDEX = """
import json, os, sys
import faiss, numpy, pandas
folder = sys.argv[1]
vectors = numpy.load(f"{folder}/vectors.npy")
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
faiss.write_index(index, f"{folder}/image.index")
os.mkdir(f"{folder}/metadata")
urls = [f"http://127.0.0.1/{number}.jpg" for number in range(len(vectors))]
pandas.DataFrame({"url": urls}).to_parquet(f"{folder}/metadata/metadata_0.parquet")
json.dump({"images": folder}, open(f"{folder}/indices.json", "w"))
"""
"""A program for its environment: makes an index of vectors.npy, exact as clipsearch's."""


@contextmanager
def serving_clip_back(scratch: Path, vectors: Vectors, model: str) -> Iterator[Server]:
    """Serve (n, d) vectors with a text tower, such as `open_clip:ARCHITECTURE/FILE`.

    `scratch` is an existing folder.
    """
    folder = scratch / "clip-back"
    folder.mkdir()
    np.save(folder / "vectors.npy", vectors)
    peer = install_clip_retrieval()
    peer.run("-c", MAKE_INDEX, str(folder))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = {
        "indices_paths": str(folder / "indices.json"),
        "port": port,
        "columns_to_return": ["url"],
        "enable_mclip_option": False,
        "clip_model": model,
        "use_jit": False,
        "provide_aesthetic_embeddings": False,
    }
    program = f"from clip_retrieval import clip_back; clip_back(**{arguments!r})"
    log = folder / "log"
    with log.open("w") as output, peer.start("-c", program, output=output) as process:
        try:
            server = Server(f"http://127.0.0.1:{port}", process)
            _wait(server, log)
            yield server
        finally:
            process.kill()


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        client = Client(server.url)
        try:
            client.get("/indices-list")
            return
        except OSError:
            time.sleep(0.2)
        finally:
            client.close()
    raise RuntimeError(f"clip-back did not start:\n{log.read_text()[-2000:]}")
