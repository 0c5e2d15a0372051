"""Images with words written on them, for the typographic attack of `textness`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import ImageError, UsageError
from clipsearch.evaluation.embeddings import EmbeddedImages
from clipsearch.evaluation.metrics import Indices
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.textness import TextRenderer
from clipsearch.textness.image_loading import load_resized, working_side
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize

IMAGES_PER_WORD = 10
"""Images on which each class name is written."""
SEED = 0


@dataclass(frozen=True, slots=True)
class WritingJob:
    """An image file to write `text` on (None: random words); `seed` determines how."""

    path: Path
    text: str | None
    seed: int


def plan_attacks(
    search_set: Sequence[tuple[Path, int]], names: Sequence[str]
) -> tuple[list[WritingJob], Indices, Indices]:
    """Choose the images to write on, the class of each, and the class whose name is written."""
    random = np.random.default_rng(SEED)
    jobs: list[WritingJob] = []
    attacked_class, word = [], []
    for number, name in enumerate(names):
        others = [(path, n) for path, n in search_set if n != number]
        replace = len(others) < IMAGES_PER_WORD
        for index in random.choice(len(others), IMAGES_PER_WORD, replace=replace):
            path, image_class = others[int(index)]
            jobs.append(WritingJob(path, name, len(jobs)))
            attacked_class.append(image_class)
            word.append(number)
    return jobs, np.array(attacked_class), np.array(word)


def embed_written(
    jobs: Sequence[WritingJob], *, encoder: Encoder, writer: TextRenderer, progress: Progress | None
) -> EmbeddedImages:
    """Write on images and embed them; unreadable files were reported when embedded unwritten."""
    vectors: list[Vectors] = []
    indices: list[int] = []
    step: Callable[[WritingJob], Pixels | None] = partial(_write, encoder=encoder, writer=writer)
    with Pool() as pool:
        loaded = enumerate(ordered(pool, step, jobs, ahead=2 * BATCH))
        for batch in batches(loaded, BATCH):
            readable = [(index, pixels) for index, pixels in batch if pixels is not None]
            if readable:
                vectors.append(
                    normalize(encode_pixels(encoder, [pixels for _, pixels in readable]))
                )
                indices += [index for index, _ in readable]
            if progress is not None:
                progress.update(len(batch))
    if not vectors:
        raise UsageError("no image can be written on: see the warnings")
    return EmbeddedImages(np.concatenate(vectors), np.array(indices, dtype=np.intp), ())


def _write(job: WritingJob, *, encoder: Encoder, writer: TextRenderer) -> Pixels | None:
    try:
        image = load_resized(job.path, working_side(encoder))
    except ImageError:
        return None
    random = np.random.default_rng([SEED, job.seed])
    visible = encoder.center_crop.box(*image.size)
    return encoder.preprocess(writer.render(image, random, text=job.text, within=visible))
