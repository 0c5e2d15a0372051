"""The four forms of caption files, and what is wrong with others."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.evaluation import CaptionedImage, read_captions, read_class_names, read_queries

TWO = [CaptionedImage("a.jpg", ("a cat", "one cat")), CaptionedImage("b.jpg", ("a dog",))]

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
FORMS = {
    "lines.jsonl": JSON_LINES,
    "captions_val2017.json": json.dumps(COCO, indent=1),
    "Flickr8k.token.txt": "a.jpg#0\ta cat\na.jpg#1\tone cat\nb.jpg#0\ta dog\n",
    "captions.csv": 'image,caption\na.jpg,a cat\na.jpg,"one\n cat"\nb.jpg,a dog\n',
    "results.csv": "image_name| comment_number| comment\na.jpg| 0| a cat\na.jpg| 1| one cat\nb.jpg| 0| a dog\n",
    "captions.txt": "caption\tfile\na cat\ta.jpg\none cat\ta.jpg\na dog\tb.jpg\n",
    "byte-order-mark.csv": "\ufefffile;caption\r\na.jpg;a cat\r\na.jpg;one cat\r\nb.jpg;a dog\r\n",
}  # fmt: skip


def write(folder: Path, text: str, name: str = "captions") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same(name: str, tmp_path: Path) -> None:
    assert read_captions(write(tmp_path, FORMS[name], name)) == TWO


def test_karpathys_splits(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(KARPATHY))
    assert [one.file for one in read_captions(path)] == ["a.jpg", "b.jpg"]
    [only] = read_captions(path, split="test")
    assert only == CaptionedImage("b.jpg", ("a dog",), "test")
    with pytest.raises(UsageError, match="no picture of the split 'train': it has test, val"):
        read_captions(path, split="train")


def test_splits_of_lines_and_csv(tmp_path: Path) -> None:
    lines = '{"file": "a", "captions": ["x"], "split": "val"}\n{"file": "b", "captions": ["y"]}'
    assert [one.file for one in read_captions(write(tmp_path, lines), split="val")] == ["a"]
    table = "file,split,caption\na,val,x\nb,test,y\n"
    assert [one.file for one in read_captions(write(tmp_path, table), split="test")] == ["b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no caption file"),
        ("a plain text\nof two lines\n", "is no caption file"),
        ('{"file": "a"}\n', "line 1: no JSON object"),
        ('{"file": "a", "captions": ["x"]}\n{broken\n', "line 2: no JSON object"),
        ('{"file": "a", "captions": [1]}', "line 1"),
        ('{"file": "a", "captions": ["  "]}', "holds no caption"),
        ('{"images": [{"id": 1}], "annotations": []}', "no COCO captions file"),
        ('{"images": 5, "annotations": []}', "no COCO captions file"),
        ('{"images": [], "annotations": []}', "holds no caption"),
        ("a.jpg#0\tx\nb.jpg y\n", "line 2: not name.jpg#0"),
        ("file,caption\na.jpg\n", "line 2: fewer columns"),
        ('{"file": "a", "captions": ["\\ud800"]}', "not valid Unicode"),
    ],
)
def test_what_does_not_fit_is_named(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        read_captions(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_captions(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match="cannot read"):
        read_captions(tmp_path)
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_captions(tmp_path / "picture.jpg")


NAMES = st.text("abc .é猫", min_size=1, max_size=5).filter(str.strip)


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_json_lines_survive_a_round_trip(content: dict[str, list[str]]) -> None:
    import tempfile

    lines = "".join(json.dumps({"file": f, "captions": c}) + "\n" for f, c in content.items())
    with tempfile.TemporaryDirectory() as folder:
        found = read_captions(write(Path(folder), lines))
    assert [one.file for one in found] == list(content)
    assert [list(one.captions) for one in found] == [
        [" ".join(text.split()) for text in texts] for texts in content.values()
    ]


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(UsageError):
            assert read_captions(path)


def test_queries_and_names(tmp_path: Path) -> None:
    assert read_queries(write(tmp_path, "a dog\n\n犬\na dog\n")) == ["a dog", "犬"]
    with pytest.raises(UsageError, match="holds no queries"):
        read_queries(write(tmp_path, "\n"))
    assert read_class_names(write(tmp_path, "n01 tabby cat\nn02\tdog\n")) == {
        "n01": "tabby cat",
        "n02": "dog",
    }
    with pytest.raises(UsageError, match="line 1: no label follows 'n01'"):
        read_class_names(write(tmp_path, "n01\n"))
