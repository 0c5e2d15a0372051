"""Records, thumbnails and files of stored images."""

import contextlib
import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.web.problems import Problem
from clipsearch.web.stored_images import StoredImage
from clipsearch.web.thumbnails import Thumbnails, round_width
from tests.helpers.fakes import draw
from tests.helpers.http import listening, send
from tests.helpers.open_files import no_descriptor_left


@pytest.fixture
def red(web_folder: Path) -> str:
    """The path of red.png's image in the API."""
    return f"/v1/images/{image_id(web_folder / 'red.png')}"


@pytest.fixture
def swapped(web_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The file blue.png, for tests that replace it by something else."""
    path, kept = web_folder / "blue.png", tmp_path / "kept.png"
    shutil.move(path, kept)
    yield path
    path.unlink(missing_ok=True)
    shutil.move(kept, path)


def url(path: Path, rest: str = "") -> str:
    return f"/v1/images/{image_id(path)}{rest}"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_record_has_the_metadata(client: TestClient, web_folder: Path) -> None:
    path = web_folder / "dated" / "IMG_20200301_120000.jpg"
    record = client.get(url(path)).json()
    assert record["path"] == str(path)
    assert (record["width"], record["height"], record["format"]) == (200, 300, "jpeg")
    assert (record["taken_at"], record["taken_from"]) == ("2020-03-01T12:00:00", "name")
    assert not record["missing"]


@pytest.mark.parametrize("end", ["", "/thumbnail", "/file"])
@pytest.mark.parametrize(
    ("id_", "status"),
    [
        ("0" * 32, 404),
        ("0" * 31, 422),
        ("..", 404),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("..%5c..%5cboot.ini", 422),
        ("a%00b", 422),
        ("%ff", 422),
        ("%f0%9f%90%88", 422),
    ],
)
def test_only_ids_of_rows_name_images(client: TestClient, id_: str, status: int, end: str) -> None:
    response = client.get(f"/v1/images/{id_}{end}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_a_thumbnail_has_the_width(client: TestClient, web_folder: Path, red: str) -> None:
    response = client.get(f"{red}/thumbnail?w=200")
    assert response.headers["content-type"] == "image/webp"
    assert opened(response.content).size == (256, 192)
    assert opened(client.get(f"{red}/thumbnail?w=2000").content).size == (320, 240)
    etag = response.headers["etag"]
    assert client.get(f"{red}/thumbnail?w=250", headers={"if-none-match": etag}).status_code == 304
    assert client.get(f"{red}/thumbnail?w=300", headers={"if-none-match": etag}).status_code == 200
    for width in ("0", "99999", "big", "-1"):
        assert client.get(f"{red}/thumbnail?w={width}").status_code == 422


def test_widths_are_rounded_up() -> None:
    assert [round_width(w) for w in (1, 128, 129, 2048, 4000)] == [128, 128, 256, 2048, 2048]


def test_a_file_is_shown_or_downloaded(client: TestClient, web_folder: Path, red: str) -> None:
    response = client.get(f"{red}/file")
    assert response.content == (web_folder / "red.png").read_bytes()
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"].startswith('inline; filename="red.png"')
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
    download = client.get(f"{red}/file?download=true")
    assert download.headers["content-disposition"].startswith("attachment")
    etag = response.headers["etag"]
    for names, status in ((f'"x", {etag}', 304), (f"W/{etag}", 304), ("*", 304), ('"x"', 200)):
        assert client.get(f"{red}/file", headers={"if-none-match": names}).status_code == status


def test_head_tells_the_headers_only(client: TestClient, web_folder: Path, red: str) -> None:
    for path in (f"{red}/file", f"{red}/thumbnail", red, "/v1/search?q=red", "/"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers.get("etag") == get.headers.get("etag")
    size = (web_folder / "red.png").stat().st_size
    assert client.head(f"{red}/file").headers["content-length"] == str(size)
    assert client.head("/v1/images/" + "0" * 32).status_code == 404


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=10-99999999", slice(10, None)),
        ("bytes=-99999999", slice(0, None)),
    ],
)
def test_a_range_of_a_file(
    client: TestClient, web_folder: Path, red: str, header: str, expected: slice
) -> None:
    data = (web_folder / "red.png").read_bytes()
    response = client.get(f"{red}/file", headers={"range": header})
    assert response.status_code == 206
    assert response.content == data[expected]
    first, _, _ = expected.indices(len(data))
    last = first + len(response.content) - 1
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"


@pytest.mark.parametrize("header", ["bytes=3-1", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "="])
def test_another_range_gets_the_whole_file(client: TestClient, red: str, header: str) -> None:
    assert client.get(f"{red}/file", headers={"range": header}).status_code == 200


def test_a_range_behind_the_end_is_refused(client: TestClient, red: str) -> None:
    response = client.get(f"{red}/file", headers={"range": "bytes=1000000-"})
    assert response.status_code == 416
    assert response.headers["content-range"].startswith("bytes */")
    assert client.get(f"{red}/file", headers={"range": "bytes=-0"}).status_code == 416


def test_a_range_of_an_older_version_gets_the_whole_file(client: TestClient, red: str) -> None:
    headers = {"range": "bytes=0-3", "if-range": '"older"'}
    assert client.get(f"{red}/file", headers=headers).status_code == 200


def test_svg_is_never_shown_inline(client: TestClient, swapped: Path) -> None:
    swapped.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    response = client.get(url(swapped, "/file"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("place", ["outside", "folder"])
def test_a_link_that_replaced_a_file_is_not_followed(
    client: TestClient, swapped: Path, tmp_path: Path, place: str
) -> None:
    secret = draw(tmp_path / "secret.png", "black")
    swapped.symlink_to(secret if place == "outside" else tmp_path)
    for end in ("/file", "/thumbnail"):
        response = client.get(url(swapped, end))
        assert response.status_code == 404
        assert str(tmp_path) not in response.text
    assert client.get("/v1/images/" + image_id(secret)).status_code == 404


def test_a_missing_file_is_said_to_be_missing(client: TestClient, swapped: Path) -> None:
    assert client.get(url(swapped)).json()["missing"]
    assert client.get(url(swapped, "/file")).status_code == 404


def test_a_broken_file_has_no_thumbnail(client: TestClient, swapped: Path) -> None:
    swapped.write_bytes(b"\x89PNG\r\n\x1a\n" + b"broken" * 20)
    assert client.get(url(swapped, "/thumbnail")).status_code == 422


def stored(path: Path, content: str = "c0") -> StoredImage:
    status = path.stat()
    record = ImageRecord(
        image_id(path), path, content, status.st_size, status.st_mtime_ns, 32, 24, "png", None
    )
    return StoredImage(record, (path.parent,))


def test_a_thumbnail_is_made_once(tmp_path: Path) -> None:
    image = stored(draw(tmp_path / "images" / "a.png"))
    thumbnails = Thumbnails(tmp_path / "cache")
    first = thumbnails.get(image, 128)
    [file] = (tmp_path / "cache").rglob("*.webp")
    file.write_bytes(b"kept")
    assert thumbnails.get(image, 128).data == b"kept"
    image.record.path.unlink()
    assert thumbnails.get(image, 128).data == b"kept"
    with pytest.raises(Problem, match="missing"):
        thumbnails.get(image, 256)
    assert first.data[8:12] == b"WEBP"


def test_a_changed_file_has_another_thumbnail(tmp_path: Path) -> None:
    image = stored(draw(tmp_path / "images" / "a.png"))
    thumbnails = Thumbnails(tmp_path / "cache")
    red = thumbnails.get(image, 128)
    draw(image.record.path, "blue")
    os.utime(image.record.path, ns=(1, 1))
    blue = thumbnails.get(image, 128)
    assert blue.etag != red.etag
    assert opened(blue.data).convert("RGB").getpixel((5, 5)) == pytest.approx((0, 0, 255), abs=9)


def test_the_oldest_thumbnails_are_deleted(tmp_path: Path) -> None:
    images = [stored(draw(tmp_path / "images" / f"{n}.png"), f"c{n}") for n in range(6)]
    size = len(Thumbnails(tmp_path / "first").get(images[0], 128).data)
    thumbnails = Thumbnails(tmp_path / "cache", max_bytes=4 * size)
    for n, image in enumerate(images):
        thumbnails.get(image, 128)
        for file in (tmp_path / "cache").rglob(f"c{n}-*.webp"):
            os.utime(file, (n, n))
    left = {file.name.split("-")[0] for file in (tmp_path / "cache").rglob("*.webp")}
    assert left == {"c3", "c4", "c5"} or left == {"c2", "c3", "c4", "c5"}


def test_an_upright_thumbnail_of_a_rotated_image(tmp_path: Path) -> None:
    path = tmp_path / "images" / "a.jpg"
    path.parent.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (400, 200), "red").save(path, exif=exif)
    thumbnail = Thumbnails(tmp_path / "cache").get(stored(path), 128)
    assert opened(thumbnail.data).size == (128, 256)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("path", ["file", "archive"])
def test_a_download_that_is_given_up_leaves_no_file_open(
    app: FastAPI, swapped: Path, path: str
) -> None:
    with swapped.open("wb") as file:
        file.truncate(256 << 20)
    id_ = image_id(swapped)
    body = f'{{"ids": ["{id_}"]}}'
    requests = {
        "file": f"GET /v1/images/{id_}/file HTTP/1.1\nHost: localhost\n\n",
        "archive": "POST /v1/archive HTTP/1.1\nHost: localhost\n"
        f"Content-Length: {len(body)}\n\n{body}",
    }

    def is_open() -> bool:
        targets = set()
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                targets.add(descriptor.readlink())
        return swapped in targets

    with listening(app) as address:
        with send(address, requests[path]) as connection:
            assert connection.recv(13) == b"HTTP/1.1 200 "
            for _ in range(100):
                assert connection.recv(20_000)
            assert is_open()
        deadline = time.monotonic() + 10
        while is_open() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_open()


@pytest.mark.parametrize("end", ["/file", "/thumbnail?width=77", ""])
def test_a_server_with_too_many_open_files_asks_to_try_again(
    client: TestClient, red: str, end: str
) -> None:
    assert client.get(red).status_code == 200  # imports and connects
    with no_descriptor_left():
        response = client.get(red + end)
    if end:
        assert response.status_code == 503
        assert "too many open files" in response.json()["detail"]
        assert response.headers["Retry-After"]
    else:  # it needs no file
        assert response.status_code == 200
    assert client.get(red + end).status_code == 200
