"""What an image tower learns from: pictures as the student sees them, and the teacher's vectors.

Every picture has a mirrored twin with a vector of its own, which the teacher gives that twin: the
only augmentation, since any other would need the teacher in every epoch, or teach wrong vectors.
"""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Transpose

from clipsearch.batching import batches
from clipsearch.cache import atomic_write
from clipsearch.distill.config import CACHE, cache_key
from clipsearch.errors import ImageError, UsageError, ZeroVectorError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import MAX_ASPECT_RATIO, HashedFile, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import OpenProgress
from clipsearch.images.decode import decode
from clipsearch.images.hashing import content_hash
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.models.preprocess import Preprocessing
from clipsearch.types import Failure, Pixels, Vectors
from clipsearch.vectors import normalize

DRAWN = "pictures.npy"
"""In the student's folder while it learns: all pictures as it sees them, (n, 3, H, W) uint8."""
NOTE = "pictures.key"
"""Beside it, once it is whole: of which pictures."""


Reasons = dict[int, str]


@dataclass(frozen=True, slots=True)
class ImageDataset:
    """n pictures in the order of their contents' hashes, each content once.

    `vectors` (2, n, d) float32 of length 1 are the teacher's, of the pictures and of their mirrored
    twins. `drawn` are the student's pixels of all files, of which `rows` (n,) are these.
    """

    paths: Sequence[Path]
    hashes: Sequence[str]
    vectors: Vectors
    drawn: NDArray[np.uint8]
    rows: NDArray[np.intp]
    skipped: tuple[Failure, ...]

    def pixels(self, places: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Some of them as the student sees them, (k, 3, H, W) uint8, read from disk."""
        return np.asarray(self.drawn[self.rows[places]])


@dataclass(frozen=True, slots=True)
class _Views:
    """A picture and its twin as the teacher sees them (or not at all), and as the student does."""

    teacher: tuple[Pixels, ...]
    student: NDArray[np.uint8]


def identified(images: Path, bars: OpenProgress) -> tuple[list[HashedFile], list[Failure]]:
    """The files of a folder by the hash of their content, each content once, and those unread.

    Raises UsageError where there are none.
    """
    source = FileSource([images])
    source.require_any()
    found: dict[str, HashedFile] = {}
    skipped = []
    with Pool() as pool, bars("reading", None) as bar:
        for item in ordered(pool, _identified, source, ahead=2 * BATCH):
            if isinstance(item, HashedFile):
                found.setdefault(item.content_hash, item)
            else:
                skipped.append(item)
            if bar is not None:
                bar.update(1)
    return [found[each] for each in sorted(found)], skipped


def learn_from(
    items: Sequence[HashedFile],
    teacher: Encoder,
    preprocessing: Preprocessing,
    folder: Path,
    bars: OpenProgress,
) -> ImageDataset:
    """Decode each file once, for teacher and student; what an earlier start has done stays done.

    `preprocessing` is the student's, `folder` takes its pixels. Files that cannot be decoded or
    embedded are skipped.
    """
    # One byte a value, the levels as they are: the student's own table comes later.
    small = replace(preprocessing, levels=[list(range(256))] * 3)
    hashes = [item.content_hash for item in items]
    who = teacher.identity
    name = cache_key("pictures", who.weights, who.preprocessing, who.precision, hashes)
    note = cache_key("pixels", asdict(small), hashes)
    known = _known(name, len(items), who.dim)
    drawn = _drawn(folder, note, (len(items), 3, *small.crop))
    if known is None or drawn is None:
        known = _prepare(items, teacher, small, folder, known, bars)
        with atomic_write(folder / NOTE) as temporary:
            temporary.write_text(note, encoding="utf-8")
        vectors, reasons = known
        said = {str(place): reason for place, reason in reasons.items()}
        CACHE.save(name, {"vectors": vectors, "reasons": np.array(json.dumps(said))})
        drawn = np.load(folder / DRAWN, mmap_mode="r")
    vectors, reasons = known
    good = [place for place in range(len(items)) if place not in reasons]
    return ImageDataset(
        paths=[items[place].file.path for place in good],
        hashes=[hashes[place] for place in good],
        vectors=np.ascontiguousarray(vectors[:, good]),
        drawn=drawn,
        rows=np.array(good, np.intp),
        skipped=tuple(Failure(items[n].file.path, why) for n, why in sorted(reasons.items())),
    )


def forget(folder: Path) -> None:
    """Remove the pixels that `learn_from` wrote; the teacher's vectors stay in the cache."""
    for name in (NOTE, DRAWN):
        (folder / name).unlink(missing_ok=True)


def _known(name: str, count: int, dim: int) -> tuple[Vectors, Reasons] | None:
    """The teacher's vectors and why some have none, if an earlier start has kept them whole."""
    stored = CACHE.load(name)
    try:
        vectors = (stored or {})["vectors"]
        said: dict[str, str] = json.loads(str((stored or {})["reasons"]))
        reasons = {int(place): reason for place, reason in said.items()}
    except (KeyError, ValueError, AttributeError):
        return None
    if vectors.shape != (2, count, dim) or vectors.dtype != np.float32:
        return None
    good = [place for place in range(count) if place not in reasons]
    lengths = np.linalg.norm(vectors[:, good], axis=2)
    return (vectors, reasons) if np.allclose(lengths, 1, atol=1e-3) else None  # NaN neither


def _drawn(folder: Path, note: str, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The pixels of an earlier start, if they are of these pictures, and whole."""
    try:
        same = (folder / NOTE).read_text(encoding="utf-8") == note
        array: NDArray[np.uint8] = np.load(folder / DRAWN, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return array if same and array.shape == shape and array.dtype == np.uint8 else None


def _prepare(
    items: Sequence[HashedFile],
    teacher: Encoder,
    small: Preprocessing,
    folder: Path,
    known: tuple[Vectors, Reasons] | None,
    bars: OpenProgress,
) -> tuple[Vectors, Reasons]:
    """Write the pixels of all files; embed those of `known` only where there is none."""
    vectors, reasons = known or (np.zeros((2, len(items), teacher.identity.dim), np.float32), {})
    reasons = dict(reasons)
    step = partial(_views, teacher=None if known else teacher, small=small)
    shape = (len(items), 3, *small.crop)
    _require_room(folder, math.prod(shape))
    (folder / NOTE).unlink(missing_ok=True)  # what is in the file now is of no use before the end
    drawn = np.lib.format.open_memmap(folder / DRAWN, "w+", np.uint8, shape)
    title = "preparing pictures" if known else "asking the teacher"
    with Pool() as pool, bars(title, len(items)) as bar:
        stream = enumerate(ordered(pool, step, items, ahead=2 * BATCH))
        for batch in batches(stream, BATCH):
            there = [(place, views) for place, views in batch if isinstance(views, _Views)]
            reasons |= {place: why for place, why in batch if isinstance(why, str)}
            for place, views in there:
                drawn[place] = views.student
            if there and not known:
                for side in range(2):
                    rows = encode_pixels(teacher, [views.teacher[side] for _, views in there])
                    for (place, _), row in zip(there, rows, strict=True):
                        try:
                            vectors[side, place] = normalize(row)
                        except ZeroVectorError:
                            reasons[place] = "the teacher returned no direction for it"
            if bar is not None:
                bar.update(len(batch))
    drawn.flush()
    return vectors, reasons


def _require_room(folder: Path, size: int) -> None:
    """Raise UsageError where the pixels do not fit: a mapped file on a full disk ends the process."""
    there = folder / DRAWN
    free = shutil.disk_usage(folder).free + (there.stat().st_size if there.exists() else 0)
    if size > free:
        raise UsageError(
            f"the pictures take {size / 1e9:.1f} GB in {folder} until the student is finished, where "
            f"{free / 1e9:.1f} GB are free: name a folder on another disk, or fewer pictures"
        )


def _views(item: HashedFile, *, teacher: Encoder | None, small: Preprocessing) -> _Views | str:
    """A file decoded, by the same rules as an ingestion's; or why it is of no use."""
    try:
        data = item.file.path.read_bytes()
        if content_hash(data) != item.content_hash:
            return "changed while it was read"
        image = decode(data).image
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ImageError as error:
        return str(error)
    except MemoryError:
        return "not enough memory to read it"
    if max(image.size) > MAX_ASPECT_RATIO * min(image.size):
        return f"too long a stripe: {image.width} x {image.height}"
    try:
        twins = (image, image.transpose(Transpose.FLIP_LEFT_RIGHT)) if teacher else ()
        shown = tuple(teacher.preprocess(twin) for twin in twins) if teacher else ()
        return _Views(shown, small(image).astype(np.uint8))
    except Exception as error:  # noqa: BLE001 - whatever a model's own code raises, for this file
        return f"the model cannot take it ({error})"


def _identified(item: ImageFile | Failure) -> HashedFile | Failure:
    return item if isinstance(item, Failure) else hash_file(item)
