"""What packed files find, by the encoder that the product uses: the numbers of the model card.

    python -m training.measure.eval_release --data ../shared/data --model .cache/training/trial

The trial never saw these photographs; the model that ships has seen all but Flickr8k's own 500.
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
from training.data.class_names import photo_of
from training.data.dataset import trial_rows
from training.data.hard_negatives import KINDS, balanced, changed
from training.data.sources import Photograph, captioned, described
from training.measure.metrics import image_to_text, precision, preferred, text_to_image, top1

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
BATCH = 64


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--model", type=FOLDER, default=WEIGHTS, show_default=True)
def main(data: Path, model: Path) -> None:
    for line in lines(data, PocketEncoder(model)):
        click.echo(line)


def lines(data: Path, encoder: PocketEncoder) -> Iterator[str]:
    """Measure, and say each result in a line."""
    flickr, coco = captioned(data / "flickr8k"), captioned(data / "coco")
    others = described(data, sorted((data / "backgrounds").glob("*.*")))
    _, held = trial_rows(flickr, coco, others)
    val = [row for row in flickr if row.split != "train"]
    for name, rows in (("val 500", val), ("1,000", [flickr[i] for i in held.flickr])):
        seen = see(encoder, [row.path for row in rows])
        texts, owner = _captions(rows)
        said = say(encoder, texts)
        yield f"Flickr8k {name}: {text_to_image(said, seen, owner)}"
        yield f"Flickr8k {name}, image→text: {image_to_text(said, seen, owner)}"
        for kind in KINDS:
            yield f"Flickr8k {name}, {against_changed(encoder, texts, seen[owner], kind)}"
    rows = [coco[i] for i in held.coco]
    paths = [row.path for row in (*rows, *(others[i] for i in held.backgrounds))]
    texts, owner = _captions(rows)
    found = text_to_image(say(encoder, texts), see(encoder, paths), owner)
    yield f"COCO {len(rows)} among {len(paths)}: {found}"

    objects = sorted((data / "objects").glob("*/*.jpg"))
    kinds = sorted({path.parent.name for path in objects})
    names = [kind.replace("_", " ").lower() for kind in kinds]
    right = [kinds.index(path.parent.name) for path in objects]
    seen = see(encoder, objects)
    yield f"objects, prompt: {top1(seen, say(encoder, [photo_of(n) for n in names]), right):.1f}"
    yield f"objects, bare: {top1(seen, say(encoder, names), right):.1f}"
    yield f"objects, nearest 5 of the same class: {precision(seen, np.array(right), 5):.1f}"
    grocery = sorted((data / "grocery").glob("*/*"))
    labels = np.unique([path.parent.name for path in grocery], return_inverse=True)[1]
    yield f"grocery, nearest of the same label: {precision(see(encoder, grocery), labels, 1):.1f}"


def see(encoder: PocketEncoder, paths: Sequence[Path]) -> Vectors:
    """Embed files: (n, d) of length 1."""
    parts = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), BATCH):
            pixels = pool.map(
                lambda p: encoder.preprocess(decode(p).image), paths[start : start + BATCH]
            )
            parts.append(encoder.encode_images(list(pixels)))
    return normalize(np.concatenate(parts))


def say(encoder: PocketEncoder, texts: Sequence[str]) -> Vectors:
    """Embed texts: (n, d) of length 1."""
    parts = [encoder.encode_texts(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
    return normalize(np.concatenate(parts))


def against_changed(
    encoder: PocketEncoder, texts: Sequence[str], pictures: Vectors, kind: str
) -> str:
    """How often pictures (n, d) lie nearer to their texts than to these made wrong, in a line."""
    draw = np.random.default_rng(5)
    wrong = [changed(text, kind, draw) for text in texts]
    at = balanced(wrong)
    own = say(encoder, [texts[place].lower() for place in at])
    other = say(encoder, [change.caption for place in at if (change := wrong[place])])
    mine, shuffled = pictures[at], pictures[draw.permutation(at)]
    return (
        f"own caption before one with another {kind}: {preferred(mine, own, other):.1f} of {len(at)} "
        f"(with other pictures {preferred(shuffled, own, other):.1f})"
    )


def _captions(rows: Sequence[Photograph]) -> tuple[list[str], np.ndarray]:
    texts = [caption for row in rows for caption in row.captions]
    return texts, np.repeat(np.arange(len(rows)), [len(row.captions) for row in rows])


if __name__ == "__main__":
    main()
