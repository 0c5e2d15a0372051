"""The client returns what the Python API returns, from another process or machine."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from clipsearch import Client, Filters, LinearProbe, Query, StoredImage, Term
from clipsearch.classify.predictions import Classification
from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.errors import (
    CanceledQueryError,
    ClipsearchError,
    ImageError,
    MissingCollectionError,
    ModelMismatchError,
    StoreError,
    UsageError,
)
from clipsearch.images.hashing import image_id
from clipsearch.index import Index
from clipsearch.records import Hit
from clipsearch.render.notebook import Hits
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.settings import Limits, Settings
from tests.helpers.fakes import draw
from tests.helpers.http import listening

Api: TypeAlias = Index | Client


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    app = create_app(Engine(partial(open_index, server, "images")))
    with listening(app) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def remote(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def index(server: Server) -> Iterator[Index]:
    with open_index(server, "images") as index:
        yield index


def assert_equal_hits(found: list[Hit], expected: list[Hit]) -> None:
    assert isinstance(found, Hits)
    assert [hit.record for hit in found] == [hit.record for hit in expected]
    for name in ("score", "z", "p", "textness"):
        values = [[getattr(hit, name) for hit in hits] for hits in (found, expected)]
        assert [value is None for value in values[0]] == [value is None for value in values[1]]
        one, other = ([value for value in column if value is not None] for column in values)
        np.testing.assert_allclose(one, other, atol=1e-4)


SEARCHES: dict[str, Callable[[Api, Path], Hits]] = {
    "text": lambda api, _: api.search("red"),
    "paging": lambda api, _: api.search("a dog", limit=5, offset=7),
    "file": lambda api, folder: api.search(image=folder / "red.png"),
    "both": lambda api, folder: api.search("night", image=str(folder / "red.png"), weights=(1, -2)),
    "id": lambda api, folder: api.search(image=f"id:{image_id(folder / 'blue.png')}"),
    "filters": lambda api, folder: api.search("red", filters=Filters(under=folder, glob="*20200*")),
    "cut": lambda api, _: api.search("a green square", min_z=0.5, min_score=-0.5),
    "textness": lambda api, _: api.search("red", textness=-1, max_textness=0.99),
    "off": lambda api, _: api.search("red", textness="off"),
    "similar": lambda api, folder: api.similar(folder / "red.png", limit=4),
    "similar id": lambda api, folder: api.similar(StoredImage(image_id(folder / "red.png"))),
    "bytes": lambda api, folder: api.similar((folder / "green.png").read_bytes()),
    "pixels": lambda api, _: api.similar(np.full((40, 50, 3), 90, np.uint8)),
    "open file": lambda api, folder: api.similar(io.BytesIO((folder / "red.png").read_bytes())),
    "terms": lambda api, folder: api.search_many(
        [Query((Term("red", 2), Term(folder / "blue.png", 0.5), Term("dog", -1)), limit=3)]
    )[0],
    "nothing": lambda api, _: api.search("red", min_score=2),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_hits_are_those_of_the_python_api(
    remote: Client, index: Index, web_folder: Path, name: str
) -> None:
    found, expected = (SEARCHES[name](api, web_folder) for api in (remote, index))
    assert_equal_hits(found, expected)


def test_an_own_file_and_its_copies_are_left_out(remote: Client, web_folder: Path) -> None:
    names = {hit.path.name for hit in remote.similar(web_folder / "red.png", limit=50)}
    assert not names & {"red.png", "copy.png"}


def test_a_path_of_the_server_names_a_stored_image(
    remote: Client, index: Index, web_folder: Path
) -> None:
    path = web_folder / "yellow.png"
    expected = index.similar(path)
    hidden = path.rename(web_folder.parent / "yellow.png")  # as on another machine
    try:
        assert_equal_hits(remote.similar(path), expected)
    finally:
        hidden.rename(path)


def test_many_queries_are_answered_in_order(remote: Client, index: Index) -> None:
    queries: list[str | Query] = [
        *(f"{number} red dogs" for number in range(40)),
        Query((Term("blue"),), limit=2),
    ]
    found, expected = remote.search_many(queries), index.search_many(queries)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_equal_hits(one, other)
    assert remote.search_many([]) == []


def test_a_large_limit_takes_several_pages(
    remote: Client, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.client.client.PAGE", 4)
    for limit, offset, min_z in ((10, 0, None), (900, 0, None), (8, 4, None), (900, 0, 0.2)):
        found, expected = (
            api.search("red", limit=limit, offset=offset, min_z=min_z) for api in (remote, index)
        )
        assert_equal_hits(found, expected)


def test_a_cut_of_p_finds_what_the_python_api_does(remote: Client, index: Index) -> None:
    values = sorted(hit.p or 0 for hit in index.search("green", limit=100))
    middle = (values[8] + values[9]) / 2
    for limit, offset in ((3, 0), (3, 3), (100, 0), (100, 50)):
        found, expected = (
            api.search("green", limit=limit, offset=offset, min_p=middle) for api in (remote, index)
        )
        assert_equal_hits(found, expected)


def test_labels_that_the_model_does_not_know_are_logged(
    remote: Client, caplog: pytest.LogCaptureFixture
) -> None:
    remote.classify(["Hund", "red"])
    assert 'not "Hund"' in caplog.text


def test_classification_is_that_of_the_python_api(
    remote: Client, index: Index, web_folder: Path
) -> None:
    labels = ["red", "a green square", "blue"]

    def check(**options: Any) -> None:
        found, expected = (api.classify(labels, **options) for api in (remote, index))
        assert [image.record for image in found] == [image.record for image in expected]
        assert [image.label for image in found] == [image.label for image in expected]
        for one, other in zip(found, expected, strict=True):
            assert_equal_predictions(one, other)

    check()
    check(templates=["a photo of a {}", "contexts"], top=1)
    check(filters=Filters(under=web_folder / "dated"), threshold=0.6)
    check(filters=Filters(glob="no such file"))


def assert_equal_predictions(one: Classification, other: Classification) -> None:
    assert [p.label for p in one.predictions] == [p.label for p in other.predictions]
    np.testing.assert_allclose(
        [p.probability for p in one.predictions],
        [p.probability for p in other.predictions],
        atol=1e-4,
    )


def test_a_probe_travels(remote: Client, index: Index) -> None:
    assert index.model is not None
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((3, index.model.dim)).astype(np.float32)
    bias = rng.standard_normal(3).astype(np.float32)
    probe = LinearProbe(("a", "b", "c"), weights, bias, index.model, images=9)
    assert [image.label for image in remote.classify(probe)] == [
        image.label for image in index.classify(probe)
    ]
    other = replace(probe, model=replace(index.model, weights="others"))
    with pytest.raises(ModelMismatchError, match="probe"):
        remote.classify(other)


def test_texts_are_embedded(remote: Client, index: Index) -> None:
    texts = [f"{number} ünicode dogs" for number in range(300)]
    np.testing.assert_allclose(remote.embed_texts(texts), index.embed_texts(texts), atol=1e-5)
    np.testing.assert_allclose(remote.embed_texts("cat"), index.embed_texts("cat"), atol=1e-5)
    assert remote.embed_texts([]).shape == index.embed_texts([]).shape


def test_images_are_embedded(
    remote: Client, index: Index, web_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(web_folder.rglob("*.*"))
    monkeypatch.setattr("clipsearch.client.client.IMAGE_BYTES", 2_000)  # several requests
    found = remote.embed_images(paths)
    np.testing.assert_allclose(found, index.embed_images(paths), atol=1e-5)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 30, 40, 3), dtype=np.uint8)
    np.testing.assert_allclose(remote.embed_images(pixels), index.embed_images(pixels), atol=1e-5)
    assert remote.embed_images([]).shape == (0, found.shape[1])


FAILING: dict[str, Callable[[Api, Path], object]] = {
    "no terms": lambda api, _: api.search(),
    "blank": lambda api, _: api.search(" "),
    "limit": lambda api, _: api.search("red", limit=0),
    "offset": lambda api, _: api.search("red", offset=20_000),
    "cancels out": lambda api, _: api.search_many([Query((Term("red"), Term("red", -1)))]),
    "unknown id": lambda api, _: api.similar("id:0123456789abcdef"),
    "no image": lambda api, folder: api.similar(folder / "no.png"),
    "no name": lambda api, _: api.similar("no-such-name.png"),
    "folder": lambda api, folder: api.similar(folder),
    "one label": lambda api, _: api.classify(["one"]),
    "equal labels": lambda api, _: api.classify(["one", "one"]),
    "template": lambda api, _: api.classify(["a", "b"], templates=["nothing"]),
    "threshold": lambda api, _: api.classify(["a", "b"], threshold=2),
    "numbers": lambda api, _: api.embed_texts([1, 2]),  # type: ignore[list-item]
    "surrogate": lambda api, _: api.embed_texts(["\ud800"]),
    "text as image": lambda api, _: api.embed_images(object()),
    "id without a file": lambda api, folder: api.embed_images(f"id:{image_id(folder / 'red.png')}"),
}


@pytest.mark.parametrize("name", FAILING)
def test_errors_have_the_class_of_the_python_api(
    remote: Client, index: Index, web_folder: Path, name: str
) -> None:
    raised = []
    for api in (remote, index):
        with pytest.raises(ClipsearchError) as caught:
            FAILING[name](api, web_folder)
        raised.append(type(caught.value))
    assert raised[0] is raised[1]


def test_terms_that_cancel_out_are_named(remote: Client) -> None:
    with pytest.raises(CanceledQueryError, match="cancel each other out"):
        remote.search_many([Query((Term("red"), Term("red", -1)))])


def test_a_broken_file_is_named(remote: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"^/.*broken\.jpg: "):
        remote.similar(broken)
    good = draw(tmp_path / "good.png")
    with pytest.raises(ImageError, match=r"^/.*broken\.jpg: "):
        remote.embed_images([good, good, broken, good])


def test_what_cannot_be_sent_is_refused(remote: Client) -> None:
    with pytest.raises(UsageError, match="expression"):
        remote.search("red", filters=Filters(expression="width > 1"))
    with pytest.raises(UsageError, match="expression"):
        remote.classify(["a", "b"], filters=Filters(expression="width > 1"))
    with pytest.raises(UsageError, match="max_pixels"):
        remote.search_many([Query((Term("red"),), max_pixels=100)])


def test_warnings_are_logged(
    remote: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ask in (remote.search, remote.embed_texts):
        caplog.clear()
        ask("xyzzyqwrtplk 漢字")
        assert caplog.messages
        assert all("pocket" in message for message in caplog.messages)


def test_one_client_serves_many_threads(remote: Client, index: Index) -> None:
    expected = [hit.id for hit in index.search("red")]
    found: list[list[str]] = []

    def search() -> None:
        for _ in range(5):
            found.append([hit.id for hit in remote.search("red")])

    threads = [threading.Thread(target=search) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 30


@pytest.fixture
def serve(server: Server) -> Iterator[Callable[..., str]]:
    """Serve a collection with other settings."""
    with ExitStack() as stack:

        def start(collection: str = "images", **options: Any) -> str:
            limits = options.get("limits", Limits())
            engine = Engine(partial(open_index, server, collection), limits)
            app: FastAPI = create_app(engine, Settings(**options))
            host, port = stack.enter_context(listening(app))
            return f"http://{host}:{port}"

        yield start


def test_a_token_opens_the_server(serve: Callable[..., str]) -> None:
    url = serve(token="s3cret-token")
    for client in (Client(url, token="s3cret-token"), Client(f"{url}/?token=s3cret-token")):
        with client:
            assert len(client.search("red", limit=2)) == 2
            assert "s3cret" not in repr(client)
    for token in (None, "wrong"):
        with Client(url, token=token) as client, pytest.raises(StoreError, match="token"):
            client.search("red")


def test_a_missing_collection_is_named(serve: Callable[..., str]) -> None:
    with Client(serve("nothing")) as client, pytest.raises(MissingCollectionError, match="nothing"):
        client.search("red")


def test_an_image_beyond_the_limit_is_refused(serve: Callable[..., str], web_folder: Path) -> None:
    large = Image.effect_noise((400, 400), 50)
    url = serve(limits=Limits(upload_bytes=10_000))
    with Client(url) as client, pytest.raises(UsageError, match="10,000 bytes"):
        client.similar(large)
    url = serve(limits=Limits(upload_pixels=1_000))
    with Client(url) as client, pytest.raises(ImageError, match=r"red\.png: .*pixels"):
        client.similar(web_folder / "red.png")
