"""Uploaded query images."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch.query.parser import EmbeddedImage
from clipsearch.web.query_images import QueryImages, Upload


def upload(client: TestClient, data: bytes, name: str = "image.png") -> str:
    response = client.post("/v1/query-images", files={"file": (name, data)})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_an_uploaded_image_is_searched_for(client: TestClient, web_folder: Path) -> None:
    id_ = upload(client, (web_folder / "green.png").read_bytes())
    found = client.post("/v1/search", json={"terms": [{"image": id_}]}).json()
    assert Path(found["hits"][0]["path"]).name == "green.png"
    assert found["hits"][0]["score"] == pytest.approx(1, abs=0.01)
    body = {"terms": [{"image": id_}], "exclude_images": True}
    others = client.post("/v1/search", json=body).json()["hits"]
    assert others[0]["id"] == found["hits"][1]["id"]
    by_url = client.get(f"/v1/search?q=image:{id_} - text").json()
    assert Path(by_url["hits"][0]["path"]).suffix


def test_its_preview_is_small_and_upright(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (600, 400), "red").save(out, "JPEG", exif=exif)
    response = client.post("/v1/query-images", files={"file": ("a.jpg", out.getvalue())})
    assert (response.json()["width"], response.json()["height"]) == (400, 600)
    preview = client.get(f"/v1/query-images/{response.json()['id']}")
    assert preview.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(preview.content)) as image:
        assert image.size == (171, 256)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "empty"), (b"<html>", "HTML"), (b"\x89PNG\r\n\x1a\n" + bytes(40), "")],
)
def test_what_is_no_image_is_refused(client: TestClient, data: bytes, message: str) -> None:
    response = client.post("/v1/query-images", files={"file": ("a.png", data)})
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_a_form_without_a_file_is_refused(client: TestClient) -> None:
    for request in ({"files": {"other": b"x"}}, {"data": {"file": "x"}}, {"content": b"x"}):
        assert client.post("/v1/query-images", **request).status_code == 422


def test_an_unknown_one_is_not_found(client: TestClient) -> None:
    assert client.get("/v1/query-images/q_12345678").status_code == 404
    assert client.get("/v1/query-images/nothing").status_code == 422


def make() -> tuple[Upload, EmbeddedImage]:
    content = EmbeddedImage(np.ones(4, np.float32), "c0105", "hash")
    return Upload("hash", 1, 1, b"", Image.new("RGB", (1, 1))), content


def test_the_least_recently_used_ones_are_dropped() -> None:
    images = QueryImages(max_images=2)
    first, second = images.add(*make()), images.add(*make())
    assert images.get(first.id) is first
    third = images.add(*make())
    assert images.get(second.id) is None
    assert images.get(first.id) is first
    assert images.get(third.id) is third


def test_they_expire() -> None:
    images = QueryImages(seconds=-1)
    assert images.get(images.add(*make()).id) is None
