"""The image dataset: images as the student's input, and the teacher's embeddings of them.

Each image has a mirrored twin, which the teacher embeds too. Mirroring is the only augmentation:
any other would need the teacher in every epoch, or would train on vectors of another image.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Transpose

from clipsearch.batching import batches
from clipsearch.distill.config import CACHE, cache_key
from clipsearch.distill.pixel_file import complete_pixels, create_pixels, load_pixels
from clipsearch.errors import ZeroVectorError
from clipsearch.evaluation.metrics import Indices
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import HashedFile, decode_file, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import OpenProgress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.models.preprocess import Preprocessing
from clipsearch.types import Failure, Pixels, Vectors
from clipsearch.vectors import normalize

Failures: TypeAlias = dict[int, Failure]
"""Files that cannot be used, by index."""


@dataclass(frozen=True, slots=True)
class ImageDataset:
    """n images of different content, in the order of their content hashes.

    `vectors` (2, n, d) float32 of length 1 are the teacher's, of the images and of their mirrored
    twins. `all_pixels` is the student's input for all files; `rows` (n,) are those of the images.
    """

    paths: Sequence[Path]
    hashes: Sequence[str]
    vectors: Vectors
    all_pixels: NDArray[np.uint8]
    rows: Indices
    skipped: tuple[Failure, ...]

    def pixels(self, indices: Indices) -> NDArray[np.uint8]:
        """Read the student's input for k images from disk, as (k, 3, H, W) uint8."""
        return np.asarray(self.all_pixels[self.rows[indices]])


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The input of both models: the student's, and the teacher's for an image and its twin."""

    student: NDArray[np.uint8]
    teacher: tuple[Pixels, ...]


def hash_images(
    folder: Path, open_progress: OpenProgress
) -> tuple[list[HashedFile], list[Failure]]:
    """Hash the image files of a folder: one file for each content, by hash, and the failures.

    Raises UsageError if there are no image files.
    """
    source = FileSource([folder])
    source.require_any()
    by_hash: dict[str, HashedFile] = {}
    failures = []
    with Pool() as pool, open_progress("reading", None) as progress:
        for result in ordered(pool, _hash, source, ahead=2 * BATCH):
            if isinstance(result, HashedFile):
                by_hash.setdefault(result.content_hash, result)
            else:
                failures.append(result)
            if progress is not None:
                progress.update(1)
    return [by_hash[key] for key in sorted(by_hash)], failures


def prepare_images(
    files: Sequence[HashedFile],
    teacher: Encoder,
    preprocessing: Preprocessing,
    folder: Path,
    open_progress: OpenProgress,
) -> ImageDataset:
    """Decode each file once, for teacher and student; reuse the results of an interrupted run.

    `preprocessing` is the student's; its pixels are written to `folder`. Files that cannot be
    decoded or embedded are skipped. Raises UsageError if the disk has too little space.
    """
    # One byte a value without normalization; training applies the student's levels.
    byte_preprocessing = replace(preprocessing, levels=[list(range(256))] * 3)
    hashes = [file.content_hash for file in files]
    identity = teacher.identity
    vectors_key = cache_key(
        "images", identity.weights, identity.preprocessing, identity.precision, hashes
    )
    pixels_key = cache_key("pixels", asdict(byte_preprocessing), hashes)
    embedded = _load_vectors(vectors_key, files, identity.dim)
    pixels = load_pixels(folder, pixels_key, (len(files), 3, *byte_preprocessing.crop))
    if embedded is None or pixels is None:
        embedded = _prepare(files, teacher, byte_preprocessing, folder, embedded, open_progress)
        pixels = complete_pixels(folder, pixels_key)
        _save_vectors(vectors_key, *embedded)
    vectors, failures = embedded
    usable = [index for index in range(len(files)) if index not in failures]
    return ImageDataset(
        paths=[files[index].file.path for index in usable],
        hashes=[hashes[index] for index in usable],
        vectors=np.ascontiguousarray(vectors[:, usable]),
        all_pixels=pixels,
        rows=np.array(usable, np.intp),
        skipped=tuple(failures[index] for index in sorted(failures)),
    )


def _save_vectors(key: str, vectors: Vectors, failures: Failures) -> None:
    reasons = {index: [failure.reason, failure.kind] for index, failure in failures.items()}
    CACHE.save(key, {"vectors": vectors, "failures": np.array(json.dumps(reasons))})


def _load_vectors(
    key: str, files: Sequence[HashedFile], dim: int
) -> tuple[Vectors, Failures] | None:
    """The teacher's vectors and the failures of an earlier run; None if missing or damaged."""
    cached = CACHE.load(key)
    if cached is None:
        return None
    try:
        vectors = cached["vectors"]
        reasons = json.loads(str(cached["failures"]))
        failures = {
            int(index): Failure(files[int(index)].file.path, reason, kind)
            for index, (reason, kind) in reasons.items()
        }
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return None
    if vectors.shape != (2, len(files), dim) or vectors.dtype != np.float32:
        return None
    usable = [index for index in range(len(files)) if index not in failures]
    lengths = np.linalg.norm(vectors[:, usable], axis=2)
    # False on NaN, too.
    return (vectors, failures) if np.allclose(lengths, 1, atol=1e-3) else None


def _prepare(
    files: Sequence[HashedFile],
    teacher: Encoder,
    preprocessing: Preprocessing,
    folder: Path,
    embedded: tuple[Vectors, Failures] | None,
    open_progress: OpenProgress,
) -> tuple[Vectors, Failures]:
    """Write the pixels of all files; embed the images unless `embedded` holds their vectors."""
    vectors, failures = embedded or (
        np.zeros((2, len(files), teacher.identity.dim), np.float32),
        {},
    )
    step = partial(_load, teacher=None if embedded else teacher, preprocessing=preprocessing)
    pixels = create_pixels(folder, (len(files), 3, *preprocessing.crop))
    title = "preparing images" if embedded else "embedding images with the teacher"
    with Pool() as pool, open_progress(title, len(files)) as progress:
        results = enumerate(ordered(pool, step, files, ahead=2 * BATCH))
        for batch in batches(results, BATCH):
            loaded = {index: item for index, item in batch if isinstance(item, _Inputs)}
            failures |= {index: item for index, item in batch if isinstance(item, Failure)}
            for index, inputs in loaded.items():
                pixels[index] = inputs.student
            if loaded and not embedded:
                for index in _embed_twins(loaded, teacher, vectors):
                    reason = "the teacher returned a zero or non-finite vector"
                    failures[index] = Failure(files[index].file.path, reason, "invalid")
            if progress is not None:
                progress.update(len(batch))
    pixels.flush()
    return vectors, failures


def _embed_twins(loaded: dict[int, _Inputs], teacher: Encoder, vectors: Vectors) -> Iterable[int]:
    """Embed images and twins into `vectors`; yield the index of each unusable vector."""
    for twin in range(2):
        rows = encode_pixels(teacher, [inputs.teacher[twin] for inputs in loaded.values()])
        for index, row in zip(loaded, rows, strict=True):
            try:
                vectors[twin, index] = normalize(row)
            except ZeroVectorError:
                yield index


def _load(
    hashed: HashedFile, *, teacher: Encoder | None, preprocessing: Preprocessing
) -> _Inputs | Failure:
    decoded = decode_file(hashed)
    if isinstance(decoded, Failure):
        return decoded
    image = decoded.image
    try:
        student = preprocessing(image).astype(np.uint8)
        if teacher is None:
            return _Inputs(student, ())
        mirrored = image.transpose(Transpose.FLIP_LEFT_RIGHT)
        return _Inputs(student, (teacher.preprocess(image), teacher.preprocess(mirrored)))
    except Exception as error:  # noqa: BLE001 - a model's own code may raise anything
        reason = f"the model cannot preprocess it ({error})"
        return Failure(hashed.file.path, reason, "invalid")


def _hash(file: ImageFile | Failure) -> HashedFile | Failure:
    return file if isinstance(file, Failure) else hash_file(file)
