"""ZIPs of stored images."""

import io
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.web.archive import UNREADABLE, zip_chunks
from clipsearch.web.stored_images import StoredImage


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def images(*paths: Path) -> list[StoredImage]:
    roots = tuple({path.parent for path in paths})
    return [
        StoredImage(ImageRecord(image_id(p), p, "c0", 1, 1, 1, 1, "png", None), roots)
        for p in paths
    ]


def test_the_files_of_some_images(client: TestClient, web_folder: Path) -> None:
    paths = [web_folder / "red.png", web_folder / "dated" / "IMG_20200301_120000.jpg"]
    ids = [*map(image_id, paths), "0" * 32]
    response = client.post("/v1/archive", json={"ids": ids})
    assert response.headers["content-type"] == "application/zip"
    assert read(response.content) == {path.name: path.read_bytes() for path in paths}
    form = client.post("/v1/archive", data={"ids": ids})
    assert read(form.content) == read(response.content)


@pytest.mark.parametrize(
    "body", [{"ids": []}, {"ids": ["../a"]}, {"ids": "x"}, {}, [], {"ids": ["0" * 32] * 10_001}]
)
def test_a_wrong_request_is_refused(client: TestClient, body: object) -> None:
    assert client.post("/v1/archive", json=body).status_code == 422


def test_unknown_ids_are_not_found(client: TestClient) -> None:
    assert client.post("/v1/archive", json={"ids": ["0" * 32]}).status_code == 404
    assert client.post("/v1/archive", content=b"{").status_code == 422
    assert client.post("/v1/archive", data={"other": "1"}).status_code == 422


def test_equal_names_get_numbers(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.PNG" for folder in "xyz"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode())
    files = read(b"".join(zip_chunks(images(*paths))))
    assert files == {"a.PNG": b"x", "a (2).PNG": b"y", "a (3).PNG": b"z"}


def test_names_can_be_extracted_on_windows(tmp_path: Path) -> None:
    names = ["12:30 <a>.png", 'b"?*|.png', "..\\c.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"a")
    files = read(b"".join(zip_chunks(images(*(tmp_path / name for name in names)))))
    assert list(files) == ["12_30 _a_.png", "b____.png", ".._c.png"]


def test_unreadable_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "b\\\n\udcff.png").write_bytes(b"b")
    paths = [tmp_path / name for name in ("a.png", "b\\\n\udcff.png", "gone\udcff.png")]
    files = read(b"".join(zip_chunks(images(*paths))))
    assert files.pop(UNREADABLE).decode() == (
        f"{tmp_path}/gone\\xff.png: 'gone\\udcff.png' cannot be read: the file is missing\n"
    )
    assert files == {"a.png": b"a", "b__x0a_xff.png": b"b"}


def test_the_number_of_downloads_is_limited(client: TestClient, app: object) -> None:
    slots = app.state.engine.archive_slots  # type: ignore[attr-defined]
    held = [slots.acquire(blocking=False) for _ in range(5)]
    assert held == [True] * 4 + [False]
    ids = [client.get("/v1/search").json()["hits"][0]["id"]]
    response = client.post("/v1/archive", json={"ids": ids})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    for _ in range(4):
        slots.release()
    assert client.post("/v1/archive", json={"ids": ids}).status_code == 200
    assert slots.acquire(blocking=False)
