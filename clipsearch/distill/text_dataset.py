"""The text dataset: captions, and the teacher's embeddings of them."""

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
from clipsearch.text_encoding import detect_encoding
from clipsearch.types import Vectors

_CAPTION_SUFFIXES = {".json", ".jsonl", ".csv", ".tsv", ".token"}
_CAPTION_FILE_START = re.compile(r"\s*[{\[]|.+?#\d+\t")


@dataclass(frozen=True, slots=True)
class TextDataset:
    """n different texts with the hashes of their content; `vectors` (n, d) are the teacher's."""

    texts: Sequence[str]
    hashes: Sequence[str]
    vectors: Vectors


def read_texts(path: Path) -> list[str]:
    """Read the different captions in a file, sorted: one a line, or as for `eval retrieval`.

    Raises UsageError if the file cannot be read or holds no captions.
    """
    path = expand_user(path)
    is_caption_file = path.suffix.lower() in _CAPTION_SUFFIXES
    if is_caption_file or _CAPTION_FILE_START.match(_read_start(path)):
        return sorted({text for image in read_captions(path) for text in image.captions})
    return sorted(read_queries(path))


def prepare_texts(
    texts: Sequence[str], teacher: Encoder, open_progress: OpenProgress
) -> TextDataset:
    """Embed the texts with the teacher; vectors of an earlier run come from the cache."""
    identity = teacher.identity
    key = cache_key("texts", identity.weights, identity.precision, texts)
    vectors = (CACHE.load(key) or {}).get("vectors")
    if (
        vectors is None
        or vectors.shape != (len(texts), identity.dim)
        or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)  # False on NaN, too
    ):
        parts = []
        with open_progress("embedding texts with the teacher", len(texts)) as progress:
            for batch in batches(texts, BATCH):
                parts.append(embed_texts(teacher, batch))
                if progress is not None:
                    progress.update(len(batch))
        vectors = np.concatenate(parts)
        CACHE.save(key, {"vectors": vectors})
    hashes = [content_hash(text.encode("utf-8", "surrogateescape")) for text in texts]
    return TextDataset(texts, hashes, vectors)


def _read_start(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(1000)
            return start.decode(detect_encoding(start), "replace")
    except OSError as error:
        raise UsageError(
            f"{escape_control(str(path))} cannot be read: {error.strerror or error}"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
