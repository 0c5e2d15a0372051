"""Caption files in the forms that data sets come in: which texts describe which picture."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user

FORMS = (
    'JSON lines {"file", "captions"}, COCO captions JSON, '
    "Flickr tokens (name.jpg#0, a tab, the caption), or CSV with a header"
)
_TOKEN = re.compile(r"(.+?)#\d+\t(.*)")
_FILE_COLUMNS = (
    "file",
    "filename",
    "file_name",
    "filepath",
    "path",
    "image",
    "image_name",
)
_TEXT_COLUMNS = ("caption", "captions", "text", "comment", "title", "description", "raw")  # fmt: skip


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """A picture, by the name that its caption file gives it, with all texts that describe it."""

    file: str
    captions: tuple[str, ...]
    split: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    file: str
    caption: str
    split: str | None = None


def read_captions(path: str | Path, *, split: str | None = None) -> list[CaptionedImage]:
    """The pictures of a caption file in its order, each once with all its captions.

    The form is told by the content: JSON lines, COCO (or Karpathy's) JSON, Flickr tokens, CSV.
    `split` takes only pictures of that split. Raises UsageError naming the line that does not fit,
    and where no caption is left.
    """
    path = expand_user(Path(path))
    text = _text(path)
    found: dict[str, list[str]] = {}
    splits: dict[str, str | None] = {}
    for entry in _entries(text, path):
        caption = " ".join(entry.caption.split())
        if not entry.file or not caption:
            continue
        if any("\ud800" <= letter <= "\udfff" for letter in caption + entry.file):
            raise UsageError(
                f"{escape_control(str(path))}: not valid Unicode: {caption!r} of {entry.file!r}"
            )
        found.setdefault(entry.file, []).append(caption)
        splits.setdefault(entry.file, entry.split)
    if not found:
        raise UsageError(f"{escape_control(str(path))} holds no caption; it may be {FORMS}")
    if split is not None:
        kept = [file for file in found if splits[file] == split]
        if not kept:
            there = ", ".join(sorted({name for name in splits.values() if name})) or "no splits"
            raise UsageError(
                f"{escape_control(str(path))} has no picture of the split {split!r}: it has {there}"
            )
        found = {file: found[file] for file in kept}
    return [CaptionedImage(file, tuple(texts), splits[file]) for file, texts in found.items()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{escape_control(str(path))} is not UTF-8 text; a caption file is {FORMS}"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(
            f"cannot read the captions {escape_control(str(path))}: {reason}"
        ) from error


def _entries(text: str, path: Path) -> Iterator[_Entry]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith(("{", "[")):
        whole = _json(text)
        if isinstance(whole, dict) and "images" in whole:
            return _coco(whole, path)
        return _json_lines(text, path)
    if _TOKEN.fullmatch(first):
        return _tokens(text, path)
    return _csv(text, path)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json_lines(text: str, path: Path) -> Iterator[_Entry]:
    # By "\n" alone: JSON may hold other line separators inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _json(line)
        match row:
            case {"file": str(file), "captions": list(texts)}:
                pass
            case {"file": str(file), "captions": str(single)} | {
                "file": str(file),
                "caption": str(single),
            }:
                texts = [single]
            case _:
                raise _misfit(path, number, 'no JSON object {"file": "…", "captions": ["…"]}')
        split = row.get("split")
        for caption in texts:
            if not isinstance(caption, str):
                raise _misfit(path, number, f"a caption is no text: {caption!r}")
            yield _Entry(file, caption, split if isinstance(split, str) else None)


def _coco(whole: Mapping[str, Any], path: Path) -> Iterator[_Entry]:
    """COCO: images and annotations, joined by id; Karpathy's splits: sentences inside the images."""
    images = whole["images"]
    try:
        if "annotations" not in whole:
            for image in images:
                folder, name = image.get("filepath", ""), image["filename"]
                for sentence in image["sentences"]:
                    file = f"{folder}/{name}" if folder else name
                    yield _Entry(_word(file), _word(sentence["raw"]), image.get("split"))
            return
        names = {image["id"]: image["file_name"] for image in images}
        for annotation in whole["annotations"]:
            if annotation["image_id"] in names:
                yield _Entry(_word(names[annotation["image_id"]]), _word(annotation["caption"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{escape_control(str(path))} is no COCO captions file ({type(error).__name__}: {error}): it needs "
            "images with id and file_name, and annotations with image_id and caption"
        ) from error


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _tokens(text: str, path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _TOKEN.fullmatch(line)
        if match is None:
            raise _misfit(path, number, "not name.jpg#0, a tab, and a caption")
        yield _Entry(match[1], match[2])


def _csv(text: str, path: Path) -> Iterator[_Entry]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    try:
        for delimiter in ",\t;|":
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
                f"{escape_control(str(path))} is no caption file that clipsearch knows: it may be {FORMS}"
            )
        split = _column(names, ("split",))
        lines = io.StringIO(text[text.index(header) + len(header) :], newline="")
        rows = csv.reader(lines, delimiter=delimiter)
        for row in rows:
            if not row:
                continue
            if len(row) <= max(file, caption):
                raise _misfit(path, rows.line_num, f"fewer columns than the header {names}")
            part = row[split].strip() if split is not None and split < len(row) else None
            yield _Entry(row[file].strip(), row[caption], part)
    except csv.Error as error:
        raise UsageError(f"{escape_control(str(path))} is no proper CSV: {error}") from error


def _column(names: list[str], wanted: Iterable[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _misfit(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{escape_control(str(path))}, line {line}: {what}")
