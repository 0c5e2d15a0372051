"""What an assistant gets from each tool, and what it is told if a call fails."""

import base64
import io
import json
from pathlib import Path
from typing import Any, Never

import pytest
from mcp.types import ImageContent, TextContent
from PIL import Image

from clipsearch import Index
from clipsearch.mcp.idle_index import IdleIndex
from clipsearch.store import Collection
from clipsearch.store.texts import TextRow
from ingest.reindex.run import ReindexOptions, reindex
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.texts import image_text
from tests.mcp.conftest import Assistant

TOOLS = {
    "search_images",
    "similar_images",
    "show_images",
    "classify_images",
    "collection_status",
}


def test_all_tools_only_read_and_describe_their_results(assistant: Assistant) -> None:
    tools = assistant.tools().tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.annotations
        assert tool.annotations.read_only_hint
        assert tool.annotations.open_world_hint is False
        assert tool.description
        assert tool.output_schema
        assert tool.output_schema["type"] == "object"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search_images", {"text": "red", "textness": 0.0}),
        ("similar_images", {"image_id": "red"}),
        ("show_images", {"image_ids": ["red"]}),
        ("classify_images", {"labels": ["red", "blue"]}),
        ("collection_status", {}),
    ],
)
def test_a_result_has_the_published_schema(
    assistant: Assistant, name: str, arguments: dict[str, Any]
) -> None:
    for key in ("image_id", "image_ids"):
        if key in arguments:
            image_id = assistant.id_of("red")
            arguments = {key: [image_id] if key.endswith("s") else image_id}
    [schema] = [tool.output_schema for tool in assistant.tools().tools if tool.name == name]
    assert schema
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(assistant.result(name, **arguments), schema)


def test_a_text_finds_images_best_first(assistant: Assistant) -> None:
    result = assistant.result("search_images", text="green", limit=2)
    best = result["images"][0]
    assert best["path"] == str(assistant.folder / "green.png")
    assert (best["id"], best["width"], best["height"]) == (assistant.id_of("green"), 64, 48)
    assert len(result["images"]) == 2
    assert best["z"] > result["images"][1]["z"]


def test_text_image_and_negative_texts_are_added(assistant: Assistant) -> None:
    blue = {"text": "red", "image_id": assistant.id_of("blue"), "filters": {"min_width": 64}}
    names = assistant.names("search_images", **blue)
    assert names[-1] == "green"
    assert assistant.names("search_images", text="red green", without=["green"], limit=1) == ["red"]


def test_filters_pages_and_thresholds_apply(assistant: Assistant) -> None:
    first = assistant.names("search_images", text="red", filters={"glob": "mixed*"}, limit=3)
    assert all(name.startswith("mixed") for name in first)
    rest = assistant.names(
        "search_images", text="red", filters={"glob": "mixed*"}, limit=3, offset=2
    )
    assert rest[0] == first[2]
    under = {"under": str(assistant.folder / "mixed"), "max_bytes": 10}
    empty = assistant.result("search_images", text="red", filters=under)
    assert empty["images"] == []
    assert any("max_bytes leaves" in reason for reason in empty["reasons"])
    assert len(assistant.names("search_images", text="red", min_z=3, limit=100)) < 33


def test_without_a_query_all_images_come_by_date(assistant: Assistant) -> None:
    dated = draw(assistant.folder / "IMG_20230507_120000.jpg")
    try:
        with assistant.index.use() as index:
            index.ingest(dated)
        first = assistant.result("search_images", limit=2)["images"][0]
        assert (first["taken_at"], first["score"]) == ("2023-05-07T12:00:00", None)
        names = assistant.names("search_images", text=" ", limit=100)
        assert len(names) == len(set(names)) == 34
        assert assistant.names("search_images", limit=100, offset=30) == names[30:]
        may = {"taken_from": "2023-05", "taken_before": "2023-06"}
        assert assistant.names("search_images", filters=may) == [dated.stem]
        beyond = assistant.result("search_images", filters=may, offset=1)
        assert beyond["reasons"] == ["images that pass the filters: 1"]
    finally:
        with assistant.index.use() as index:
            index.remove(dated)
        dated.unlink()


def test_a_search_returns_no_pixels(assistant: Assistant) -> None:
    done = assistant.call("search_images", text="red", limit=2)
    [content] = done.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == done.structured_content


def test_similar_images_leave_out_the_image(assistant: Assistant) -> None:
    names = assistant.names("similar_images", image_id=assistant.id_of("red"), limit=100)
    assert "red" not in names
    assert len(names) == 32
    near = assistant.names("similar_images", image_id=assistant.id_of("red"), limit=100, min_z=1)
    assert near == names[: len(near)] != names


def test_a_shortened_id_is_enough(assistant: Assistant) -> None:
    short = assistant.id_of("red")[:8]
    assert assistant.result("show_images", image_ids=[short, assistant.id_of("red")])["images"] == [
        {
            "id": assistant.id_of("red"),
            "path": str(assistant.folder / "red.png"),
            "width": 64,
            "height": 48,
        }
    ]


@pytest.mark.parametrize(("side", "expected"), [(256, 256), (512, 512)])
def test_images_are_shown_as_small_jpegs(
    assistant: Assistant, tmp_path: Path, side: int, expected: int
) -> None:
    large = draw(assistant.folder / "large.jpg", "red", size=(2000, 1000))
    try:
        with assistant.index.use() as index:
            index.ingest(large)
        done = assistant.call(
            "show_images", image_ids=[assistant.id_of("blue"), _id(large)], size=side
        )
    finally:
        with assistant.index.use() as index:
            index.remove(large)
        large.unlink()
    names, images = done.content[0::2], done.content[1::2]
    for name, image, color, size in zip(
        names,
        images,
        [(0, 0, 255), (255, 0, 0)],
        [(64, 48), (expected, expected // 2)],
        strict=True,
    ):
        assert isinstance(name, TextContent)
        assert isinstance(image, ImageContent)
        assert image.mime_type == "image/jpeg"
        with Image.open(io.BytesIO(base64.b64decode(image.data))) as jpeg:
            assert (jpeg.format, jpeg.size) == ("JPEG", size)
            pixel = jpeg.getpixel((9, 9))
            assert isinstance(pixel, tuple)
            assert max(abs(a - b) for a, b in zip(pixel, color, strict=True)) < 5


def _id(path: Path) -> str:
    from clipsearch.images.hashing import image_id

    return image_id(path)


def test_a_file_outside_the_folders_is_not_shown(assistant: Assistant, tmp_path: Path) -> None:
    secret = draw(tmp_path / "secret.png", "blue")
    red = assistant.folder / "red.png"
    content = red.read_bytes()
    red.unlink()
    red.symlink_to(secret)
    try:
        done = assistant.call("show_images", image_ids=[assistant.id_of("red")])
        both = assistant.result(
            "show_images", image_ids=[assistant.id_of("red"), assistant.id_of("blue")]
        )
    finally:
        red.unlink()
        red.write_bytes(content)
    assert done.is_error
    [reason] = done.content
    assert isinstance(reason, TextContent)
    assert "not in a folder of this collection" in reason.text
    assert [image["id"] for image in both["images"]] == [assistant.id_of("blue")]
    assert [image["id"] for image in both["failed"]] == [assistant.id_of("red")]


def test_a_file_that_is_missing_or_damaged_is_named(assistant: Assistant) -> None:
    red, blue = (assistant.folder / f"{color}.png" for color in ("red", "blue"))
    contents = red.read_bytes(), blue.read_bytes()
    try:
        red.unlink()
        blue.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
        ids = [assistant.id_of(color) for color in ("red", "green", "blue")]
        result = assistant.result("show_images", image_ids=ids)
    finally:
        red.write_bytes(contents[0])
        blue.write_bytes(contents[1])
    assert [image["id"] for image in result["images"]] == [assistant.id_of("green")]
    missing, damaged = result["failed"]
    assert missing["reason"] == "the file is missing"
    assert damaged["path"] == str(blue)


def test_classification_counts_and_names_the_most_certain(assistant: Assistant) -> None:
    labels = ["red", "green", "blue"]
    result = assistant.result("classify_images", labels=labels, limit=1, top=2)
    assert result["total"] == sum(result["counts"].values()) == 33
    [image] = result["images"]
    assert Path(image["path"]).stem == image["labels"][0]["label"]
    assert len(image["labels"]) == 2
    with assistant.index.use() as index:
        expected = index.classify(labels)
    counts = {label: sum(item.label == label for item in expected) for label in labels}
    assert result["counts"] == counts


def test_classification_of_some_images(assistant: Assistant) -> None:
    ids = [assistant.id_of(color) for color in ("red", "blue")]
    result = assistant.result("classify_images", labels=["red", "green", "blue"], image_ids=ids)
    assert result["counts"] == {"red": 1, "green": 0, "blue": 1}
    filtered = {"glob": "gr??n.png"}
    result = assistant.result("classify_images", labels=["red", "green"], filters=filtered, limit=0)
    assert (result["counts"], result["images"]) == ({"green": 1, "red": 0}, [])
    assert result["warnings"] == []


def test_status_describes_the_collection(assistant: Assistant) -> None:
    status = assistant.result("collection_status")
    assert (status["collection"], status["images"], status["model"]) == ("images", 33, "colors")
    assert status["folders"] == [str(assistant.folder)]
    assert status["failed_files"] == 1
    assert status["failures"][0].startswith(str(assistant.folder / "damaged.png"))


@pytest.mark.parametrize(
    ("name", "method"),
    [("show_images", "scan_rows"), ("classify_images", "scan_rows"), ("collection_status", "tags")],
)
def test_a_reindex_that_drops_the_old_rows_does_not_fail_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    """The rows go between the moment at which a tool opens them and its first read."""
    draw(tmp_path / "red.png", "red")
    index = Index.open(tmp_path / "a.db", model=ColorEncoder(name="colors"), daemon=False)
    index.ingest(tmp_path)
    assistant = Assistant(IdleIndex(lambda _: index), tmp_path)
    read = getattr(Collection, method)

    def drop_first(collection: Collection, *given: Any) -> Any:
        monkeypatch.setattr(Collection, method, read)
        reindex(index.store, index.name, None, _load_nothing, options)
        return read(collection, *given)

    options = ReindexOptions(force=True, drop_old=True)
    monkeypatch.setattr(Collection, method, drop_first)
    arguments = {
        "show_images": {"image_ids": [assistant.id_of("red")]},
        "classify_images": {"labels": ["red", "green"]},
    }
    assistant.result(name, **arguments.get(name, {}))
    assert index.store.collection(index.name).info.milvus_name == f"{index.name}_g2"
    assistant.index.close()


def _load_nothing(name: str) -> Never:
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("search_images", {"text": "x" * 2_001}, "at most 2000 characters"),
        ("search_images", {"text": "a", "limit": 101}, "less than or equal to 100"),
        ("search_images", {"text": "a", "offset": 16_384}, "16,384"),
        ("search_images", {"text": "a", "filters": {"taken_from": "soon"}}, "is not a date"),
        ("search_images", {"text": "a", "filters": {"formats": ["docx"]}}, "unknown format"),
        ("search_images", {"text": "a", "filters": {"expression": "1"}}, "not permitted"),
        ("search_images", {"text": "a", "filters": {"near": [1, 2]}}, "at least 3 items"),
        ("search_images", {"image_id": "/etc/passwd"}, "should match pattern"),
        ("search_images", {"image_id": "abcdef99"}, "no image has an id that begins with"),
        ("search_images", {"text": "red", "without": ["red"]}, "cancel"),
        ("similar_images", {"image_id": "https://example.com/a.jpg"}, "should match pattern"),
        ("similar_images", {}, "Field required"),
        ("show_images", {"image_ids": ["abcdef99"]}, "no image has an id that begins with"),
        ("show_images", {"image_ids": ["abcdef99"] * 9}, "at most 8 items"),
        ("show_images", {"image_ids": []}, "at least 1 item"),
        ("show_images", {"image_ids": ["abcdef99"], "size": 4096}, "less than or equal to 512"),
        ("classify_images", {"labels": ["red"]}, "at least 2 items"),
        ("classify_images", {"labels": ["red", "red"]}, "red"),
    ],
)
def test_a_mistake_is_explained(
    assistant: Assistant, name: str, arguments: dict[str, Any], message: str
) -> None:
    assert message in assistant.error(name, **arguments)


def test_ids_and_filters_exclude_each_other(assistant: Assistant) -> None:
    error = assistant.error(
        "classify_images",
        labels=["red", "blue"],
        image_ids=[assistant.id_of("red")],
        filters={"min_width": 1},
    )
    assert error.endswith("give image_ids or filters, not both")


def test_a_missing_collection_or_store_is_named(tmp_path: Path, assistant: Assistant) -> None:
    def open_other(_: object) -> Index:
        return Index.open(
            assistant.folder.parent / "a.db", collection="other", create=False, daemon=False
        )

    def open_missing(_: object) -> Index:
        return Index.open(tmp_path / "none.db", create=False, daemon=False)

    assistant.index.close()
    for open_index, message in ((open_other, "no collection 'other'"), (open_missing, "none.db")):
        for name, arguments in (
            ("search_images", {"text": "red"}),
            ("show_images", {"image_ids": ["abcdef99"]}),
            ("classify_images", {"labels": ["a", "b"]}),
            ("collection_status", {}),
        ):
            broken = Assistant(IdleIndex(open_index), assistant.folder)
            assert message in broken.error(name, **arguments)
            broken.index.close()


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_an_unknown_argument_is_refused(assistant: Assistant, name: str) -> None:
    required: dict[str, dict[str, Any]] = {
        "similar_images": {"image_id": "0" * 32},
        "show_images": {"image_ids": ["0" * 32]},
        "classify_images": {"labels": ["red", "blue"]},
    }
    error = assistant.error(name, query="red", **required.get(name, {}))
    assert "query" in error
    assert "not permitted" in error
    [schema] = [tool.input_schema for tool in assistant.tools().tools if tool.name == name]
    assert schema["additionalProperties"] is False


def test_words_that_images_show_are_found(assistant: Assistant) -> None:
    id_ = assistant.id_of("red")
    with assistant.index.use() as index:
        [image] = index.collection.get([id_]).values()
        text = image_text("Fire exit", "\u202eleft")
        index.collection.texts.upsert([TextRow(id_, image.record.content_hash, text)])
    result = assistant.result("search_images", says="exit left", min_z=3)
    assert [image["id"] for image in result["images"]] == [id_]
    assert result["images"][0]["says"] == ["Fire exit", "\\u202eleft"]
    assert assistant.names("search_images", text="blue", says="exit") == ["red"]
    assert "'exit'" in assistant.result("search_images", text="exit")["warnings"][-1]
    assert "'stairs'" in assistant.result("search_images", says="stairs")["reasons"][0]
