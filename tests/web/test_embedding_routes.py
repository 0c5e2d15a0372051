"""`/v1/embeddings`, in the shape of OpenAI's API."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.types import Vectors
from clipsearch.web import embedding_routes


def embed(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/embeddings", json=body)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def vectors(result: dict[str, Any]) -> Vectors:
    return np.array([item["embedding"] for item in result["data"]], dtype=np.float32)


def data_uri(path: Path, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def test_texts_have_the_embeddings_of_the_python_api(client: TestClient, server: Server) -> None:
    texts = ["a red car", "Ünïcödé 🦊", "a red car"]
    with open_index(server, "images") as index:
        expected = index.embed_texts(texts)
    result = embed(client, input=texts, model="pocket")
    np.testing.assert_allclose(vectors(result), expected, atol=1e-6)
    assert result["object"] == "list"
    assert result["model"] == "pocket"
    assert result["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    [warning] = result["warnings"]
    assert "🦊" in warning
    for number, item in enumerate(result["data"]):
        assert (item["object"], item["index"]) == ("embedding", number)
    [one] = embed(client, input=texts[0])["data"]
    np.testing.assert_allclose(one["embedding"], expected[0], atol=1e-6)


def test_base64_holds_the_same_numbers(client: TestClient) -> None:
    floats = vectors(embed(client, input=["cat", "dog"]))
    encoded = embed(client, input=["cat", "dog"], encoding_format="base64")["data"]
    decoded = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in encoded]
    np.testing.assert_array_equal(np.stack(decoded), floats)


def test_many_inputs_are_embedded_in_order(client: TestClient) -> None:
    texts = [f"{number} dogs" for number in range(2 * embedding_routes.QUICK_INPUTS)]
    together = vectors(embed(client, input=texts))
    np.testing.assert_allclose(together[3], vectors(embed(client, input=texts[3]))[0], atol=1e-5)


def test_images_are_data_uris(client: TestClient, server: Server, web_folder: Path) -> None:
    paths = [web_folder / "red.png", web_folder / "blue.png"]
    with open_index(server, "images") as index:
        expected = index.embed_images(paths)
    uris = [data_uri(paths[0]), data_uri(paths[1], "image/x-whatever;charset=binary")]
    result = embed(client, input=uris, modality="image")
    np.testing.assert_allclose(vectors(result), expected, atol=1e-5)
    one = embed(client, input=uris[0], modality="image", encoding_format="base64")
    assert len(one["data"]) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.png",
        "https://example.com/x.png",
        "data:image/png,raw",
        "data:image/png;base64,****",
        "data:image/png;base64,",
        "data:image/png;base64,aGVsbG8=",
        "cat",
    ],
)
def test_nothing_but_images_in_data_uris_is_read(
    client: TestClient, web_folder: Path, uri: str
) -> None:
    body = {"input": [data_uri(web_folder / "red.png"), uri], "modality": "image"}
    response = client.post("/v1/embeddings", json=body)
    assert response.status_code == 422, response.text
    assert response.json()["detail"].startswith("input 1: ")


def test_an_image_with_too_many_pixels_is_refused(
    app: Any, client: TestClient, web_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.state.engine.limits = replace(app.state.engine.limits, upload_pixels=100)
    body = {"input": data_uri(web_folder / "red.png"), "modality": "image"}
    response = client.post("/v1/embeddings", json=body)
    assert response.status_code == 422
    assert "pixels" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": [""]},
        {"input": [1, 2, 3]},
        {"input": [[1, 2], [3]]},
        {"input": None},
        {"input": {"text": "cat"}},
        {"input": "cat", "dimensions": 3},
        {"input": "cat", "model": "text-embedding-3-small"},
        {"input": "cat", "encoding_format": "int8"},
        {"input": "cat", "modality": "audio"},
        {"input": "x" * 2_001},
        {"input": ["x"] * 2_049},
        {"input": "\ud800"},
    ],
)
def test_other_requests_are_refused(client: TestClient, body: dict[str, Any]) -> None:
    response = client.post(
        "/v1/embeddings",
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422, response.text
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_dimensions_of_the_model_are_accepted(client: TestClient) -> None:
    dim = client.get("/v1/status").json()["model"]["dim"]
    [item] = embed(client, input="cat", dimensions=dim, user="someone")["data"]
    assert len(item["embedding"]) == dim


def test_too_many_images_are_refused(client: TestClient) -> None:
    body = {"input": ["data:;base64,"] * (embedding_routes.MAX_IMAGES + 1), "modality": "image"}
    assert client.post("/v1/embeddings", json=body).status_code == 422


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([], "input: List should have at least 1 item after validation, not 0"),
        (["a"] * 3000, "input: List should have at most 2048 items after validation, not 3000"),
        (["a", 1], "input.1: Input should be a valid string"),
        (5, "input: Input should be a valid list"),
    ],
)
def test_it_says_what_is_wrong_with_the_inputs(
    client: TestClient, inputs: object, reason: str
) -> None:
    response = client.post("/v1/embeddings", json={"input": inputs})
    assert (response.status_code, response.json()["detail"]) == (422, reason)
