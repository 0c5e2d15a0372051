"""`/v1/explain`."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch.images.hashing import image_id


@pytest.fixture
def image(web_folder: Path) -> str:
    """The id of an image of 200 x 300 pixels."""
    return image_id(web_folder / "dated" / "IMG_20200301_120000.jpg")


def test_an_explanation_has_a_heat_map_and_words(client: TestClient, image: str) -> None:
    body = {"text": "a red circle", "id": image}
    response = client.post("/v1/explain", json=body)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    assert (result["id"], result["query"], result["model"]) == (image, "a red circle", "pocket")
    assert (result["width"], result["height"]) == (200, 300)
    assert [word["word"] for word in result["words"]] == ["a", "red", "circle"]
    heat = np.array(result["heat_map"])
    assert heat.shape == (16, 11)
    assert 0 <= heat.min() <= heat.max() <= 1
    assert 0 <= result["peak"]["x"] < 200
    search = client.post("/v1/search", json={"terms": [{"text": "a red circle"}]}).json()
    scores = {hit["id"]: hit["score"] for hit in search["hits"]}
    assert result["score"] == pytest.approx(scores[image], abs=1e-3)


def test_what_the_model_ignores_is_a_warning_of_the_response(
    client: TestClient, image: str, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {"青い circle": 'does not know "青い"', "a red circle " * 100: "tokens of a text"}
    for text, warning in texts.items():
        [found] = client.post("/v1/explain", json={"text": text, "id": image}).json()["warnings"]
        assert warning in found
    assert client.post("/v1/explain", json={"text": "red", "id": image}).json()["warnings"] == []
    assert not [record for record in caplog.records if record.name == "clipsearch"]


def test_the_overlay_has_the_shape_of_the_image_and_is_transparent(
    client: TestClient, image: str
) -> None:
    result = client.post("/v1/explain", json={"text": "circle", "id": image}).json()
    prefix = "data:image/webp;base64,"
    assert result["overlay"].startswith(prefix)
    overlay = Image.open(io.BytesIO(base64.b64decode(result["overlay"][len(prefix) :])))
    assert overlay.size == (200, 300)
    alpha = np.asarray(overlay.convert("RGBA"))[..., 3]
    heat = Image.fromarray(np.array(result["heat_map"], dtype=np.float32)).resize(overlay.size)
    assert np.corrcoef(alpha.ravel(), np.asarray(heat).ravel())[0, 1] > 0.8
    assert alpha.min() == 0 or alpha.max() == 0


@pytest.mark.parametrize(("accept", "format_"), [("image/png", "PNG"), ("image/webp,*/*", "WEBP")])
def test_a_drawing_is_returned_on_request(
    client: TestClient, image: str, accept: str, format_: str
) -> None:
    response = client.post(
        "/v1/explain", json={"text": "circle", "id": image}, headers={"Accept": accept}
    )
    assert response.status_code == 200
    drawing = Image.open(io.BytesIO(response.content))
    assert drawing.format == format_
    assert response.headers["Content-Type"] == drawing.get_format_mimetype()


def test_a_missing_file_is_not_found(client: TestClient, web_folder: Path) -> None:
    path = web_folder / "purple.png"
    hidden = path.rename(web_folder.parent / "purple.png")
    try:
        response = client.post("/v1/explain", json={"text": "x y", "id": image_id(path)})
    finally:
        hidden.rename(path)
    assert response.status_code == 404
    assert "purple.png" in response.json()["detail"]


def test_a_file_behind_a_link_is_not_read(
    client: TestClient, web_folder: Path, tmp_path: Path
) -> None:
    path = web_folder / "orange.png"
    outside = tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(outside)
    original = path.rename(web_folder.parent / "orange.png")
    path.symlink_to(outside)
    try:
        response = client.post("/v1/explain", json={"text": "x y", "id": image_id(path)})
    finally:
        path.unlink()
        original.rename(path)
    assert response.status_code == 404


def test_a_file_that_is_broken_now_is_refused(client: TestClient, web_folder: Path) -> None:
    path = web_folder / "white.png"
    content = path.read_bytes()
    path.write_bytes(b"no image any more")
    try:
        response = client.post("/v1/explain", json={"text": "x y", "id": image_id(path)})
    finally:
        path.write_bytes(content)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("white.png: ")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "x", "id": "0" * 32}, 404),
        ({"text": "x", "id": "/etc/passwd"}, 422),
        ({"text": "", "id": "0" * 32}, 422),
        ({"text": "x" * 2_001, "id": "0" * 32}, 422),
        ({"text": "x"}, 422),
        ({"text": "x", "id": "0" * 32, "method": "magic"}, 422),
    ],
)
def test_wrong_requests_are_refused(client: TestClient, body: dict[str, Any], status: int) -> None:
    assert client.post("/v1/explain", json=body).status_code == status


@pytest.mark.parametrize("text", [" ", "\t"])
def test_a_blank_text_is_refused(client: TestClient, image: str, text: str) -> None:
    assert client.post("/v1/explain", json={"text": text, "id": image}).status_code == 422


def test_a_method_that_the_model_lacks_is_refused(client: TestClient, image: str) -> None:
    body = {"text": "x", "id": image, "method": "patches"}
    response = client.post("/v1/explain", json=body)
    assert response.status_code == 422
    assert "occlusion" in response.json()["detail"]
