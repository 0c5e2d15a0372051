"""The model through a daemon."""

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.daemon import connection, encoder_pool
from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.remote_encoder import remote_encoder
from clipsearch.errors import (
    ModelError,
    ModelMismatchError,
)
from clipsearch.images.decode import decode
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.models.base import ModelIdentity
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.runtime import Runtime
from clipsearch.session import daemon_of, open_store
from clipsearch.uri import parse_uri
from tests.helpers.daemons import NEEDS_SOCKETS, serving
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import MODEL

pytestmark = NEEDS_SOCKETS


def test_the_daemon_loads_a_model_once_for_all_commands(
    tmp_path: Path, image_folder: Path, loads: list[str], encoder: ColorEncoder
) -> None:
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(image_folder)
    loads.clear()
    with serving(tmp_path / "photos.db"):
        for _ in range(3):
            with Index.open(tmp_path / "photos.db") as index:
                assert index.search("green")[0].path.name == "green.png"
        assert loads == ["pocket"]
        draw(image_folder / "new.png", (250, 5, 0))
        with Index.open(tmp_path / "photos.db") as index:
            assert index.encoder is not encoder
            assert index.ingest(image_folder).stored == 1
            assert index.similar(image_folder / "red.png", limit=1)[0].path.name == "new.png"
        assert loads == ["pocket"]


def test_a_model_that_differs_in_the_daemon_is_loaded_here(
    path: Path, loads: list[str], encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as store:
        other = ColorEncoder(weights="0ther").identity
        assert remote_encoder(daemon_of(store), lambda: encoder, MODEL, Runtime("cpu"))
        assert remote_encoder(daemon_of(store), lambda: encoder, other, Runtime("cpu")) is None
        assert remote_encoder(None, lambda: encoder, MODEL, Runtime()) is None

        def missing(name: str, _: Runtime) -> ColorEncoder:
            raise ModelError("no weights")

        monkeypatch.setattr(registry, "load", missing)
        clip = replace(MODEL, name="clip")
        assert remote_encoder(daemon_of(store), lambda: encoder, clip, Runtime()) is None
        encoder.identity = other
        monkeypatch.setattr(registry, "load", lambda *_, **__: encoder)
        with Index.open(path, collection="photos") as index, pytest.raises(ModelMismatchError):
            index.load()


def test_a_lost_encoder_is_replaced_by_a_local_one(path: Path, loads: list[str]) -> None:
    with serving(path) as server, Index.open(path, collection="photos") as index:
        before = index.embed_texts(["red"])
        server.stop()
        deadline = time.monotonic() + 10
        while connection.send_request(create_endpoint(parse_uri(path).key), "status") is not None:
            assert time.monotonic() < deadline
        np.testing.assert_array_equal(index.embed_texts(["red"]), before)
        assert len(loads) == 2
        assert index.encoder.logit_scale > 0


def test_log_messages_of_the_daemon_reach_the_command(
    path: Path, loads: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "clipsearch"), serving(path), open_store(path) as store:
        here = threading.get_ident()
        remote_encoder(daemon_of(store), ColorEncoder, MODEL, Runtime())
    heard = [record for record in caplog.records if record.getMessage() == "loading pocket"]
    assert any(record.thread == here for record in heard)


def test_the_daemon_keeps_few_models(path: Path, loads: list[str]) -> None:
    with serving(path) as server, open_store(path) as store:
        for number in range(encoder_pool.MAX_ENCODERS + 2):
            identity = ModelIdentity(f"model {number}", 4, "c0105", "mean color", "fp32")
            assert remote_encoder(daemon_of(store), ColorEncoder, identity, Runtime())
        assert server.encoders.names == [
            f"model {n}" for n in range(2, encoder_pool.MAX_ENCODERS + 2)
        ]


def test_pocket_gives_the_same_vectors_in_the_daemon(path: Path, image_folder: Path) -> None:
    direct = registry.load("pocket")
    images = [decode(file).image for file in sorted(image_folder.iterdir())]
    with serving(path), open_store(path) as store:
        remote = remote_encoder(daemon_of(store), lambda: direct, direct.identity, Runtime())
        assert remote is not None
        assert remote.identity == direct.identity
        assert remote.logit_scale == direct.logit_scale
        assert remote.center_crop == direct.center_crop
        texts = ["a red wall", "two dogs"]
        np.testing.assert_array_equal(embed_texts(remote, texts), embed_texts(direct, texts))
        vectors = embed_images(remote, images)
        np.testing.assert_array_equal(vectors, embed_images(direct, images))
        assert remote.encode_images([]).shape == (0, direct.identity.dim)
