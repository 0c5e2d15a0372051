"""Caption files in all formats, and the errors of broken ones."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.evaluation import CaptionedImage, read_captions

EXPECTED = [CaptionedImage("a.jpg", ("a cat", "one cat")), CaptionedImage("b.jpg", ("a dog",))]

JSON_LINES = (
    '{"file": "a.jpg", "captions": ["a cat", "one cat"]}\n\n{"file": "b.jpg", "caption": "a dog"}\n'
)
COCO = {
    "info": {},
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [
        {"image_id": 7, "id": 1, "caption": "a cat"},
        {"image_id": 8, "id": 2, "caption": "a dog"},
        {"image_id": 7, "id": 3, "caption": "one cat "},
    ],
}
KARPATHY = {
    "images": [
        {"filename": "a.jpg", "split": "val", "sentences": [{"raw": "a cat"}, {"raw": "one cat"}]},
        {"filename": "b.jpg", "split": "test", "sentences": [{"raw": "a dog"}]},
    ],
    "dataset": "flickr8k",
}
FILES = {
    "lines.jsonl": JSON_LINES,
    "captions_val2017.json": json.dumps(COCO, indent=1),
    "Flickr8k.token.txt": "a.jpg#0\ta\u2028cat\na.jpg#1\tone cat\nb.jpg#0\ta dog\n",
    "captions.csv": 'image,caption\na.jpg,a cat\na.jpg,"one\n cat"\nb.jpg,a dog\n',
    "results.csv": (
        "image_name| comment_number| comment\na.jpg| 0| a cat\na.jpg| 1| one cat\nb.jpg| 0| a dog\n"
    ),
    "captions.txt": "caption\tfile\na cat\ta.jpg\none cat\ta.jpg\na dog\tb.jpg\n",
    "byte-order-mark.csv": "\ufefffile;caption\r\na.jpg;a cat\r\na.jpg;one cat\r\nb.jpg;a dog\r\n",
}


def write(folder: Path, text: str, name: str = "captions") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_captions(name: str, tmp_path: Path) -> None:
    assert read_captions(write(tmp_path, FILES[name], name)) == EXPECTED


def test_splits_of_karpathy_json(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(KARPATHY))
    assert [image.file for image in read_captions(path)] == ["a.jpg", "b.jpg"]
    [only] = read_captions(path, split="test")
    assert only == CaptionedImage("b.jpg", ("a dog",), "test")
    with pytest.raises(UsageError, match="no image of the split 'train': it has test, val"):
        read_captions(path, split="train")


def test_splits_of_json_lines_and_csv(tmp_path: Path) -> None:
    lines = '{"file": "a", "captions": ["x"], "split": "val"}\n{"file": "b", "captions": ["y"]}'
    assert [image.file for image in read_captions(write(tmp_path, lines), split="val")] == ["a"]
    table = "file,split,caption\na,val,x\nb,test,y\n"
    assert [image.file for image in read_captions(write(tmp_path, table), split="test")] == ["b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a caption file in a known format"),
        ("a plain text\nof two lines\n", "is not a caption file in a known format"),
        ('{"file": "a"}\n', "line 1: expected a JSON object"),
        ('{"file": "a", "captions": ["x"]}\n{broken\n', "line 2: expected a JSON object"),
        ('{"file": "a", "captions": [1]}', "line 1"),
        ('{"file": "a", "captions": ["  "]}', "holds no caption"),
        ('{"images": [{"id": 1}], "annotations": []}', "is not a COCO captions file"),
        ('{"images": 5, "annotations": []}', "is not a COCO captions file"),
        ('{"images": [], "annotations": []}', "holds no caption"),
        ("a.jpg#0\tx\nb.jpg y\n", "line 2: expected name.jpg#0"),
        ("file,caption\na.jpg\n", "line 2: fewer columns"),
        ('{"file": "a", "captions": ["\\ud800"]}', "not valid Unicode"),
    ],
)
def test_errors_name_the_line_or_the_format(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        read_captions(write(tmp_path, text))


def test_unreadable_files_raise_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_captions(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match="cannot read"):
        read_captions(tmp_path)
    (tmp_path / "image.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_captions(tmp_path / "image.jpg")


NAMES = st.text("abc .é猫", min_size=1, max_size=5).filter(str.strip)


@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_json_lines_survive_a_round_trip(content: dict[str, list[str]]) -> None:
    import tempfile

    lines = "".join(json.dumps({"file": f, "captions": c}) + "\n" for f, c in content.items())
    with tempfile.TemporaryDirectory() as folder:
        images = read_captions(write(Path(folder), lines))
    assert [image.file for image in images] == list(content)
    assert [list(image.captions) for image in images] == [
        [" ".join(text.split()) for text in texts] for texts in content.values()
    ]


@given(st.text(max_size=60))
def test_any_text_is_read_or_raises_usage_error(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(UsageError):
            assert read_captions(path)


def test_the_captions_of_the_development_data_are_read(shared_data: Path) -> None:
    images = read_captions(shared_data / "flickr8k" / "captions.jsonl", split="val")
    assert len(images) == 500
    assert {len(image.captions) for image in images} == {5}
