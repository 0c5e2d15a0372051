"""What a text tower learns from: captions, and the teacher's vectors of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.batching import batches
from clipsearch.distill.config import CACHE, cache_key
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation.agreement import read_queries
from clipsearch.evaluation.captions import read_captions
from clipsearch.files.paths import expand_user
from clipsearch.files.progress import OpenProgress
from clipsearch.images.hashing import content_hash
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_texts
from clipsearch.types import Vectors

_CAPTION_FILES = {".json", ".jsonl", ".csv", ".tsv", ".token"}
_MARKED = re.compile(r"\s*[{\[]|.+?#\d+\t")


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts, each once, with the hashes of their content; `vectors` (n, d) are the teacher's."""

    lines: Sequence[str]
    hashes: Sequence[str]
    vectors: Vectors


def read_texts(path: Path) -> list[str]:
    """The captions in a file, each once, sorted: one a line, or what `eval retrieval` reads.

    Raises UsageError where there are none.
    """
    path = expand_user(path)
    if path.suffix.lower() in _CAPTION_FILES or _MARKED.match(_beginning(path)):
        return sorted({text for one in read_captions(path) for text in one.captions})
    return sorted(read_queries(path))


def learn_from(lines: Sequence[str], teacher: Encoder, bars: OpenProgress) -> Texts:
    """Ask the teacher for its vectors, unless an earlier start has."""
    who = teacher.identity
    name = cache_key("texts", who.weights, who.precision, lines)
    stored = CACHE.load(name) or {}
    vectors = stored.get("vectors")
    if (
        vectors is None
        or vectors.shape != (len(lines), who.dim)
        or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)  # NaN neither
    ):
        parts = []
        with bars("asking the teacher for texts", len(lines)) as bar:
            for batch in batches(lines, BATCH):
                parts.append(embed_texts(teacher, batch))
                if bar is not None:
                    bar.update(len(batch))
        vectors = np.concatenate(parts)
        CACHE.save(name, {"vectors": vectors})
    hashes = [content_hash(line.encode("utf-8", "surrogateescape")) for line in lines]
    return Texts(lines, hashes, vectors)


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1000).decode("utf-8-sig", "replace")
    except OSError as error:
        raise UsageError(
            f"{escape_control(str(path))} cannot be read: {error.strerror or error}"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
