"""`/v1/classify`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from clipsearch.classify import LinearProbe
from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.images.hashing import image_id
from clipsearch.web import classification

LABELS = ["red", "green", "blue"]


def classify(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/classify", json=body)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


@pytest.fixture
def ids(web_folder: Path) -> list[str]:
    return [image_id(web_folder / f"{color}.png") for color in LABELS]


def test_images_get_the_labels_of_the_python_api(
    client: TestClient, server: Server, ids: list[str]
) -> None:
    with open_index(server, "images") as index:
        expected = {c.record.id: c for c in index.classify(LABELS)}
    result = classify(client, labels=LABELS)
    assert result["model"] == "pocket"
    assert [image["id"] for image in result["images"]] == list(expected)
    for image in result["images"]:
        want = expected[image["id"]]
        assert image["label"] == want.label
        assert [p["label"] for p in image["predictions"]] == [p.label for p in want.predictions]
        assert image["image"]["path"] == str(want.record.path)
    assert [image["id"] for image in classify(client, labels=LABELS, ids=ids)["images"]] == ids


def test_labels_in_another_language_have_a_warning(client: TestClient, ids: list[str]) -> None:
    assert classify(client, labels=LABELS, ids=ids)["warnings"] == []
    for chosen in (ids, None):
        [warning] = classify(client, labels=["Hund", "red"], ids=chosen)["warnings"]
        assert 'not "Hund"' in warning


def test_filters_choose_the_images(client: TestClient) -> None:
    images = classify(client, labels=LABELS, filters={"glob": "*_2020*"}, top=1)["images"]
    assert len(images) == 12
    assert all(len(image["predictions"]) == 1 for image in images)
    assert classify(client, labels=LABELS, filters={"glob": "no such"})["images"] == []


def test_an_uploaded_image_is_classified(
    client: TestClient, web_folder: Path, ids: list[str]
) -> None:
    files = {"file": (web_folder / "red.png").read_bytes()}
    query_image = client.post("/v1/query-images", files=files).json()["id"]
    [image] = classify(client, labels=LABELS, image=query_image)["images"]
    [stored] = classify(client, labels=LABELS, ids=ids[:1])["images"]
    assert image["id"] == query_image
    assert image["image"] is None
    assert image["label"] == stored["label"]


def test_a_threshold_leaves_images_without_a_label(client: TestClient) -> None:
    images = classify(client, labels=LABELS, threshold=1)["images"]
    assert {image["label"] for image in images} == {None}


def test_a_linear_probe_is_applied(client: TestClient, server: Server, ids: list[str]) -> None:
    with open_index(server, "images") as index:
        rows, model = index.collection.get(ids), index.collection.info.model
    weights = 50 * np.stack([rows[id_].embedding for id_ in ids])
    probe = LinearProbe(tuple(LABELS), weights, np.zeros(3, np.float32), model, images=3)
    images = classify(client, probe=probe.to_json(), ids=ids)["images"]
    assert [image["label"] for image in images] == LABELS


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "AAAA"},
        {"bias": "not base64"},
        {"labels": ["red"]},
        {"labels": []},
        {"model": {"name": "pocket"}},
        {"accuracy": "high"},
    ],
)
def test_a_broken_probe_is_refused(
    client: TestClient, server: Server, change: dict[str, Any]
) -> None:
    with open_index(server, "images") as index:
        model = index.collection.info.model
    zeros = np.zeros((3, model.dim), np.float32)
    probe = LinearProbe(tuple(LABELS), zeros, np.zeros(3, np.float32), model, images=3)
    response = client.post("/v1/classify", json={"probe": probe.to_json() | change})
    assert response.status_code == 422, response.text


def test_a_probe_of_another_model_is_refused(client: TestClient, server: Server) -> None:
    with open_index(server, "images") as index:
        model = index.collection.info.model
    zeros = np.zeros((3, model.dim), np.float32)
    probe = LinearProbe(tuple(LABELS), zeros, np.zeros(3, np.float32), model, images=3).to_json()
    probe["model"]["weights"] = "others"
    response = client.post("/v1/classify", json={"probe": probe})
    assert response.status_code == 409, response.text
    assert "probe" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"labels": ["one"]}, 422),
        ({"labels": ["same", "same"]}, 422),
        ({"labels": ["a", " "]}, 422),
        ({"labels": LABELS, "probe": {}}, 422),
        ({"labels": LABELS, "templates": ["no place"]}, 422),
        ({"labels": LABELS, "templates": []}, 422),
        ({"labels": LABELS, "ids": ["0" * 32]}, 404),
        ({"labels": LABELS, "ids": ["../x"]}, 422),
        ({"labels": LABELS, "ids": []}, 422),
        ({"labels": LABELS, "image": "q_unknown_image"}, 422),
        ({"labels": LABELS, "image": "/etc/passwd"}, 422),
        ({"labels": LABELS, "ids": ["0" * 32], "filters": {}}, 422),
        ({"labels": LABELS, "filters": {"expression": "width > 1"}}, 422),
        ({"labels": LABELS, "top": 0}, 422),
        ({"labels": LABELS, "threshold": 1.5}, 422),
        ({"labels": [str(number) for number in range(1_001)]}, 422),
        ({"labels": LABELS * 500}, 422),
    ],
)
def test_wrong_requests_are_refused(client: TestClient, body: dict[str, Any], status: int) -> None:
    response = client.post("/v1/classify", json=body)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"]


def test_too_many_texts_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "MAX_TEXTS", 5)
    body = {"labels": LABELS, "templates": ["{}", "a {}"]}
    response = client.post("/v1/classify", json=body)
    assert response.status_code == 422
    assert "6 texts" in response.json()["detail"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1_000])
def test_a_response_in_parts_is_valid_json(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    whole = classify(client, labels=LABELS)
    monkeypatch.setattr(classification, "CHUNK_IMAGES", chunk)
    assert classify(client, labels=LABELS) == whole
