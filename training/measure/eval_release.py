"""Evaluate packed model files with the product's encoder: the numbers of the model card.

    python -m training.measure.eval_release --data ../shared/data --model .cache/training/trial

The trial model is not trained on these images. The released model is trained on all of them
except Flickr8k's own 500 validation images.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np

from clipsearch.images.decode import decode
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from training.data.class_names import prompt_for
from training.data.dataset import trial_rows
from training.data.hard_negatives import KINDS, balanced, make_negative
from training.data.sources import CaptionedImage, own_captioned, read_captioned
from training.measure.metrics import image_to_text, precision, preference, text_to_image, top1

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
BATCH = 64


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--model", type=FOLDER, default=WEIGHTS, show_default=True)
def main(data: Path, model: Path) -> None:
    for line in report_lines(data, PocketEncoder(model)):
        click.echo(line)


def report_lines(data: Path, encoder: PocketEncoder) -> Iterator[str]:
    """Yield each result as one line of text."""
    flickr, coco = read_captioned(data / "flickr8k"), read_captioned(data / "coco")
    others = own_captioned(data, sorted((data / "backgrounds").glob("*.*")))
    _, held = trial_rows(flickr, coco, others)
    val = [row for row in flickr if row.split != "train"]
    for name, rows in (("val 500", val), ("1,000", [flickr[i] for i in held.flickr])):
        image_vectors = embed_images(encoder, [row.path for row in rows])
        texts, owner = _captions(rows)
        text_vectors = embed_texts(encoder, texts)
        yield f"Flickr8k {name}: {text_to_image(text_vectors, image_vectors, owner)}"
        yield f"Flickr8k {name}, image→text: {image_to_text(text_vectors, image_vectors, owner)}"
        for kind in KINDS:
            line = hard_negative_line(encoder, texts, image_vectors[owner], kind)
            yield f"Flickr8k {name}, {line}"
    rows = [coco[i] for i in held.coco]
    every = [*rows, *(others[i] for i in held.backgrounds)]
    image_vectors = embed_images(encoder, [row.path for row in every])
    for queried in (rows, every):
        texts, owner = _captions(queried)
        found = text_to_image(embed_texts(encoder, texts), image_vectors, owner)
        yield f"COCO {len(queried)} among {len(every)}: {found}"

    objects = sorted((data / "objects").glob("*/*.jpg"))
    kinds = sorted({path.parent.name for path in objects})
    names = [kind.replace("_", " ").lower() for kind in kinds]
    right = [kinds.index(path.parent.name) for path in objects]
    image_vectors = embed_images(encoder, objects)
    prompts = embed_texts(encoder, [prompt_for(name) for name in names])
    yield f"objects, prompt: {top1(image_vectors, prompts, right):.1f}"
    yield f"objects, bare: {top1(image_vectors, embed_texts(encoder, names), right):.1f}"
    same_class = precision(image_vectors, np.array(right), 5)
    yield f"objects, nearest 5 of the same class: {same_class:.1f}"
    grocery = sorted((data / "grocery").glob("*/*"))
    labels = np.unique([path.parent.name for path in grocery], return_inverse=True)[1]
    same_label = precision(embed_images(encoder, grocery), labels, 1)
    yield f"grocery, nearest of the same label: {same_label:.1f}"


def embed_images(encoder: PocketEncoder, paths: Sequence[Path]) -> Vectors:
    """Embed image files as (n, d) of length 1."""
    parts = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), BATCH):
            pixels = pool.map(
                lambda p: encoder.preprocess(decode(p).image), paths[start : start + BATCH]
            )
            parts.append(encoder.encode_images(list(pixels)))
    return normalize(np.concatenate(parts))


def embed_texts(encoder: PocketEncoder, texts: Sequence[str]) -> Vectors:
    """Embed texts as (n, d) of length 1."""
    parts = [encoder.encode_texts(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
    return normalize(np.concatenate(parts))


def hard_negative_line(
    encoder: PocketEncoder, texts: Sequence[str], image_vectors: Vectors, kind: str
) -> str:
    """Report how often image vectors (n, d) are nearer to their caption than to a hard negative."""
    draw = np.random.default_rng(5)
    negatives = [make_negative(text, kind, draw) for text in texts]
    at = balanced(negatives)
    own = embed_texts(encoder, [texts[place].lower() for place in at])
    other = embed_texts(encoder, [change.caption for place in at if (change := negatives[place])])
    mine, shuffled = image_vectors[at], image_vectors[draw.permutation(at)]
    return (
        f"own caption before one with another {kind}: {preference(mine, own, other):.1f} "
        f"of {len(at)} "
        f"(with other images {preference(shuffled, own, other):.1f})"
    )


def _captions(rows: Sequence[CaptionedImage]) -> tuple[list[str], np.ndarray]:
    texts = [caption for row in rows for caption in row.captions]
    return texts, np.repeat(np.arange(len(rows)), [len(row.captions) for row in rows])


if __name__ == "__main__":
    main()
