"""Caption files in the formats of common datasets: the texts that describe each image."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user
from clipsearch.text_encoding import decode_text

FORMATS = (
    'JSON Lines {"file", "captions"}, COCO captions JSON, '
    "Flickr tokens (name.jpg#0, a tab, the caption), or CSV with a header"
)
_TOKEN_LINE = re.compile(r"(.+?)#\d+\t(.*)")
_FILE_COLUMNS = ("file", "filename", "file_name", "filepath", "path", "image", "image_name")
_TEXT_COLUMNS = ("caption", "captions", "text", "comment", "title", "description", "raw")
_DELIMITERS = ",\t;|"


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image, by its name in a caption file, with all its captions."""

    file: str
    captions: tuple[str, ...]
    split: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    file: str
    caption: str
    split: str | None = None


def read_captions(path: str | Path, *, split: str | None = None) -> list[CaptionedImage]:
    """Read a caption file: each image once with all its captions, in the order of the file.

    The content determines the format: JSON Lines, COCO or Karpathy JSON, Flickr tokens, or CSV.
    `split` takes only the images of that split. Raises UsageError on an unreadable file, on a line
    of the wrong form, and if no caption is left.
    """
    path = expand_user(Path(path))
    captions: dict[str, list[str]] = {}
    splits: dict[str, str | None] = {}
    for entry in _parse(_read_text(path), path):
        caption = " ".join(entry.caption.split())
        if not entry.file or not caption:
            continue
        if any("\ud800" <= letter <= "\udfff" for letter in caption + entry.file):
            raise UsageError(
                f"{escape_control(str(path))}: not valid Unicode: {caption!r} of {entry.file!r}"
            )
        captions.setdefault(entry.file, []).append(caption)
        splits.setdefault(entry.file, entry.split)
    if not captions:
        raise UsageError(f"{escape_control(str(path))} holds no caption; use {FORMATS}")
    images = [CaptionedImage(file, tuple(texts), splits[file]) for file, texts in captions.items()]
    if split is None:
        return images
    selected = [image for image in images if image.split == split]
    if not selected:
        known = ", ".join(sorted({name for name in splits.values() if name})) or "no splits"
        raise UsageError(
            f"{escape_control(str(path))} has no image of the split {split!r}: it has {known}"
        )
    return selected


def _read_text(path: Path) -> str:
    try:
        text = decode_text(path.read_bytes())
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{escape_control(str(path))} is not UTF-8 text; a caption file is {FORMATS}"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(
            f"cannot read the captions {escape_control(str(path))}: {reason}"
        ) from error


def _parse(text: str, path: Path) -> Iterator[_Entry]:
    # Lines end at "\n" only: captions and names may hold what str.splitlines splits at (U+2028).
    first_line = next((line for line in text.split("\n") if line.strip()), "")
    if first_line.lstrip().startswith(("{", "[")):
        document = _load_json(text)
        if isinstance(document, dict) and "images" in document:
            return _parse_coco(document, path)
        return _parse_json_lines(text, path)
    if _TOKEN_LINE.fullmatch(first_line):
        return _parse_tokens(text, path)
    return _parse_csv(text, path)


def _load_json(text: str) -> Any:
    """Parse JSON; returns None if it is not valid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parse_json_lines(text: str, path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _load_json(line)
        match row:
            case {"file": str(file), "captions": list(captions)}:
                pass
            case {"file": str(file), "captions": str(single)} | {
                "file": str(file),
                "caption": str(single),
            }:
                captions = [single]
            case _:
                raise _line_error(
                    path, number, 'expected a JSON object {"file": "…", "captions": ["…"]}'
                )
        split = row.get("split")
        for caption in captions:
            if not isinstance(caption, str):
                raise _line_error(path, number, f"a caption is not a text: {caption!r}")
            yield _Entry(file, caption, split if isinstance(split, str) else None)


def _parse_coco(document: Mapping[str, Any], path: Path) -> Iterator[_Entry]:
    """Parse COCO JSON (annotations joined by id) or Karpathy JSON (sentences in the images)."""
    images = document["images"]
    try:
        if "annotations" not in document:
            for image in images:
                folder, name = image.get("filepath", ""), image["filename"]
                file = _require_text(f"{folder}/{name}" if folder else name)
                for sentence in image["sentences"]:
                    yield _Entry(file, _require_text(sentence["raw"]), image.get("split"))
            return
        files = {image["id"]: image["file_name"] for image in images}
        for annotation in document["annotations"]:
            if annotation["image_id"] in files:
                file = _require_text(files[annotation["image_id"]])
                yield _Entry(file, _require_text(annotation["caption"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{escape_control(str(path))} is not a COCO captions file ({type(error).__name__}: "
            f"{error}): it needs images with id and file_name, and annotations with image_id and "
            "caption"
        ) from error


def _require_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _parse_tokens(text: str, path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        match = _TOKEN_LINE.fullmatch(line)
        if match is None:
            raise _line_error(path, number, "expected name.jpg#0, a tab, and a caption")
        yield _Entry(match[1], match[2])


def _parse_csv(text: str, path: Path) -> Iterator[_Entry]:
    header = next((line for line in text.split("\n") if line.strip()), "")
    try:
        for delimiter in _DELIMITERS:
            names = [
                name.strip().lower()
                for row in csv.reader([header], delimiter=delimiter)
                for name in row
            ]
            file, caption = _column(names, _FILE_COLUMNS), _column(names, _TEXT_COLUMNS)
            if file is not None and caption is not None:
                break
        else:
            raise UsageError(
                f"{escape_control(str(path))} is not a caption file in a known format: "
                f"use {FORMATS}"
            )
        split = _column(names, ("split",))
        body = io.StringIO(text[text.index(header) + len(header) :], newline="")
        rows = csv.reader(body, delimiter=delimiter)
        for row in rows:
            if not row:
                continue
            if len(row) <= max(file, caption):
                raise _line_error(path, rows.line_num, f"fewer columns than the header {names}")
            split_name = row[split].strip() if split is not None and split < len(row) else None
            yield _Entry(row[file].strip(), row[caption], split_name)
    except csv.Error as error:
        raise UsageError(f"{escape_control(str(path))} is not a valid CSV file: {error}") from error


def _column(names: Sequence[str], candidates: Sequence[str]) -> int | None:
    """The index of the first candidate among the column names; None if there is none."""
    return next((names.index(name) for name in candidates if name in names), None)


def _line_error(path: Path, line: int, reason: str) -> UsageError:
    return UsageError(f"{escape_control(str(path))}, line {line}: {reason}")
