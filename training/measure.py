"""The report of a build: quality on photographs that the fit never saw, and the loss of packing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from clipsearch.images import decode
from clipsearch.models.pocket import PocketEncoder
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from training.features import Array, Towers
from training.heads import Fitted, ImageHead, TextHead
from training.quality import Recall, image_to_text, text_to_image, top1
from training.recipe import photo_of
from training.sources import Captioned


@dataclass(frozen=True, slots=True)
class Packed:
    """The shipped files against float32: recall, and (mean, least) cosine of either side."""

    flickr_text: Recall
    images: tuple[float, float]
    texts: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Report:
    """What a build measured, for the console and the model card."""

    flickr_text: Recall
    flickr_image: Recall
    coco_text: Recall
    objects_prompt: float
    objects_bare: float
    packed: Packed

    def table(self) -> str:
        """Render as a Markdown table."""
        images, texts = self.packed.images, self.packed.texts
        rows = {
            "Flickr8k, 500 photos, text→image R@1/5/10": self.flickr_text,
            "Flickr8k, 500 photos, image→text R@1/5/10": self.flickr_image,
            "COCO, 70 photos among 945, text→image R@1/5/10": self.coco_text,
            "50 object classes, top-1, prompt “a photo of a …”": f"{self.objects_prompt:.1f}",
            "50 object classes, top-1, bare name": f"{self.objects_bare:.1f}",
            "Flickr8k text→image, packed files": self.packed.flickr_text,
            "cosine packed to float32, pictures: mean, least": f"{images[0]:.5f}, {images[1]:.5f}",
            "cosine packed to float32, texts: mean, least": f"{texts[0]:.5f}, {texts[1]:.5f}",
        }
        lines = [f"| {what} | {value} |" for what, value in rows.items()]
        return "\n".join(["| measured | value (%, or cosine) |", "|---|---|", *lines])


def embed_photos(fitted: Fitted, photos: Array) -> Vectors:
    """Apply the image head: (n, 512)."""
    head = ImageHead(fitted).requires_grad_(requires_grad=False)
    out: Vectors = head(torch.from_numpy(photos)).numpy()
    return out


def embed_texts(fitted: Fitted, towers: Towers, texts: Sequence[str]) -> Vectors:
    """Apply the text tower and head: (n, 512)."""
    head = TextHead(fitted).requires_grad_(requires_grad=False)
    out: Vectors = head(torch.from_numpy(towers.sentences(texts))).numpy()
    return out


def retrieval(
    fitted: Fitted,
    towers: Towers,
    rows: Sequence[Captioned],
    photos: Array,
    others: Sequence[Array],
) -> tuple[Recall, Recall]:
    """Text→image and image→text; `others` are distractors for the texts."""
    texts, owner = captions_of(rows)
    said = embed_texts(fitted, towers, texts)
    seen = np.concatenate([embed_photos(fitted, p) for p in (photos, *others)])
    return text_to_image(said, seen, owner), image_to_text(said, seen, owner)


def captions_of(rows: Sequence[Captioned]) -> tuple[list[str], np.ndarray]:
    """All captions, and the row of the photograph that each belongs to."""
    texts = [caption for row in rows for caption in row.captions]
    return texts, np.repeat(np.arange(len(rows)), [len(row.captions) for row in rows])


def zero_shot(
    fitted: Fitted, towers: Towers, labels: Sequence[str], photos: Array
) -> tuple[float, float]:
    """Top-1 with the prompt and with the bare class name."""
    classes = sorted(set(labels))
    names = [label.replace("_", " ").lower() for label in classes]
    seen, right = embed_photos(fitted, photos), [classes.index(label) for label in labels]
    prompt, bare = (
        top1(seen, embed_texts(fitted, towers, texts), right)
        for texts in ([photo_of(name) for name in names], names)
    )
    return prompt, bare


def packing(
    folder: Path, fitted: Fitted, towers: Towers, rows: Sequence[Captioned], photos: Array
) -> Packed:
    """Hold the shipped files, in their default precision, against float32."""
    encoder = PocketEncoder(folder)
    texts, owner = captions_of(rows)
    seen, said = [], []
    for start in range(0, len(rows), 32):
        pixels = [encoder.preprocess(decode(row.path).image) for row in rows[start : start + 32]]
        seen.append(encoder.encode_images(pixels))
    for start in range(0, len(texts), 32):
        said.append(encoder.encode_texts(texts[start : start + 32]))
    images, sentences = normalize(np.concatenate(seen)), normalize(np.concatenate(said))
    return Packed(
        text_to_image(sentences, images, owner),
        _cosines(images, embed_photos(fitted, photos)),
        _cosines(sentences, embed_texts(fitted, towers, texts)),
    )


def _cosines(ours: Vectors, exact: Vectors) -> tuple[float, float]:
    cosines = (ours * exact).sum(1)
    return float(cosines.mean()), float(cosines.min())
