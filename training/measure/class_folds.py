"""Zero-shot accuracy on classes never seen, cross-validated: chooses how nouns are embedded.

    python -m training.measure.class_folds --data ../shared/data --model .cache/training/trial

The trial was trained on none of `objects/`, neither on its images nor on its classes. The classes
are split into folds. For each, the constants of `clipsearch.models.pocket.text_plan` are chosen on
the images of the other folds, among the other folds' names, and the accuracy is that of the fold's
images among the names of all classes. Nothing but the constants is fitted for a fold.

A choice must not lower the average precision of nouns in captions, as single words, among the
images of Flickr8k that the trial has not seen.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from clipsearch.classify.templates import TEMPLATES, fill_template
from clipsearch.models.pocket.dictionary import Dictionary
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.pocket.text_plan import (
    Constants,
    Shares,
    TextPlan,
    join_phrasings,
    plan_text,
)
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from training.data.dataset import trial_rows
from training.data.sources import CaptionedImage, own_captioned, read_captioned
from training.measure.eval_release import BATCH, FOLDER, embed_images

FOLDS = 5
LEAST_IMAGES, MOST_SHARE = 3, 0.6  # of a noun whose average precision is measured
TOLERANCE = 0.1  # points of average precision
PLAIN = Constants(*[Shares(1.0)] * 4)  # each text as it is, as before

RARE = {
    "text": (1.0, 0.0, 0.0),
    "text, named": (0.5, 0.5, 0.0),
    "all three": (1 / 3, 1 / 3, 1 / 3),
    "named": (0.0, 1.0, 0.0),
}
COMMON = {"text": (1.0, 0.0, 0.0), "text and a little named": (0.75, 0.25, 0.0)}
RARE_WEIGHTS, COMMON_WEIGHTS = (1.0, 2.0, 3.0), (0.5, 1.0)


def candidates() -> Iterator[tuple[str, Constants]]:
    """Yield each choice of constants for nouns, with its name."""
    for (rare, a), (common, b) in itertools.product(
        itertools.product(RARE, RARE_WEIGHTS), itertools.product(COMMON, COMMON_WEIGHTS)
    ):
        name = f"rare: {rare}, × {a:g}; common: {common}, × {b:g}"
        yield name, Constants(rare=Shares(a, *RARE[rare]), common=Shares(b, *COMMON[common]))


class Phrasings:
    """Vectors of phrasings, each embedded once by the text graph."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors]) -> None:
        """Take what embeds texts as they are, given shortest first."""
        self._encode, self._rows = encode, dict[str, Vectors]()
        self._dictionary = Dictionary()

    def embed(self, texts: Sequence[str], constants: Constants) -> Vectors:
        """Embed texts as the product would with these constants: (n, d) of length 1."""
        plans = [plan_text(text, self._dictionary, constants) for text in texts]
        self._add({phrasing for plan in plans for phrasing, _ in plan.phrasings} - set(self._rows))
        return normalize(np.stack([self._join(plan) for plan in plans]))

    def _join(self, plan: TextPlan) -> Vectors:
        return join_phrasings(np.stack([self._rows[text] for text, _ in plan.phrasings]), plan)

    def _add(self, texts: set[str]) -> None:
        if texts:
            ordered = sorted(texts, key=len)
            self._rows |= zip(ordered, self._encode(ordered), strict=True)


def encode_batches(encoder: PocketEncoder, texts: Sequence[str]) -> Vectors:
    """Embed texts as they are, (n, d)."""
    starts = range(0, len(texts), BATCH)
    return np.concatenate([encoder.encode_phrasings(texts[at : at + BATCH]) for at in starts])


@dataclass(frozen=True, slots=True)
class Classes:
    """Image vectors (n, d) with the numbers of their classes (n,), and the class names."""

    vectors: Vectors
    labels: NDArray[np.intp]
    names: Sequence[str]

    def right(self, names: Vectors, among: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each image is nearest to its own of the class vectors in rows `among`."""
        return np.asarray(among[(self.vectors @ names[among].T).argmax(1)] == self.labels)


def embed_names(phrasings: Phrasings, names: Sequence[str], constants: Constants) -> Vectors:
    """Average the prompts of each name, as `clipsearch classify` does: (k, d) of length 1."""
    prompts = [fill_template(each, name) for name in names for each in TEMPLATES["photo"]]
    vectors = phrasings.embed(prompts, constants)
    return normalize(vectors.reshape(len(names), -1, vectors.shape[1]).mean(1))


def caption_nouns(rows: Sequence[CaptionedImage]) -> dict[str, set[int]]:
    """Nouns of the dictionary in captions, with the rows of the images that they occur for."""
    dictionary, found = Dictionary(), defaultdict[str, set[int]](set)
    for number, row in enumerate(rows):
        for word in set(re.findall("[a-z]+", " ".join(row.captions).lower())):
            found[word].add(number)
    most = MOST_SHARE * len(rows)
    return {
        word: images
        for word, images in sorted(found.items())
        if LEAST_IMAGES <= len(images) <= most and dictionary.find_noun(word)
    }


def mean_precision(images: Vectors, texts: Vectors, relevant: Mapping[str, set[int]]) -> float:
    """Mean average precision in percent of text queries (t, d) among images (n, d)."""
    values = []
    for scores, right in zip(texts @ images.T, relevant.values(), strict=True):
        hits = np.isin(np.argsort(-scores), list(right))
        values.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return 100 * float(np.mean(values))


def summary(results: Sequence[tuple[float, float]]) -> str:
    """Mean and standard deviation of each fold's accuracy before and after, and of the gain."""
    table = np.array(results)
    (before, after), spread = table.mean(0), table.std(0, ddof=1)
    gain = table[:, 1] - table[:, 0]
    return (
        f"mean {before:.1f} → {after:.1f}, spread over folds {spread[0]:.1f} and {spread[1]:.1f}, "
        f"gain {gain.mean():.1f} ± {gain.std(ddof=1) / len(gain) ** 0.5:.1f}"
    )


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--model", type=FOLDER, required=True, help="The packed trial.")
def main(data: Path, model: Path) -> None:
    encoder = PocketEncoder(model)
    phrasings = Phrasings(partial(encode_batches, encoder))
    paths = sorted((data / "objects").glob("*/*.jpg"))
    folders = sorted({path.parent.name for path in paths})
    labels = np.array([folders.index(path.parent.name) for path in paths])
    names = [folder.replace("_", " ").lower() for folder in folders]
    classes = Classes(embed_images(encoder, paths), labels, names)

    flickr = read_captioned(data / "flickr8k")
    others = own_captioned(data, sorted((data / "backgrounds").glob("*.*")))
    _, held = trial_rows(flickr, read_captioned(data / "coco"), others)
    rows = [flickr[number] for number in held.flickr]
    nouns, gallery = caption_nouns(rows), embed_images(encoder, [row.path for row in rows])

    def precision_of(constants: Constants) -> float:
        return mean_precision(gallery, phrasings.embed(list(nouns), constants), nouns)

    everything = np.arange(len(names))
    plain, floor = embed_names(phrasings, names, PLAIN), precision_of(PLAIN)
    allowed = {}
    for name, constants in candidates():
        if (found := precision_of(constants)) >= floor - TOLERANCE:
            allowed[name] = (embed_names(phrasings, names, constants), found)
    order = np.random.default_rng(0).permutation(everything)
    folds = [np.sort(fold) for fold in np.array_split(order, FOLDS)]
    results: list[tuple[float, float]] = []
    for number, fold in enumerate(folds):
        inside = np.isin(labels, fold)
        rest = np.setdiff1d(everything, fold)
        elsewhere = {
            name: classes.right(vectors, rest)[~inside].mean()
            for name, (vectors, _) in allowed.items()
        }
        best = max(elsewhere, key=elsewhere.__getitem__)
        before, after = (
            100 * float(classes.right(vectors, everything)[inside].mean())
            for vectors in (plain, allowed[best][0])
        )
        results.append((before, after))
        click.echo(f"fold {number}: {before:.1f} → {after:.1f} ({best})")
    click.echo(summary(results))
    built = classes.right(embed_names(phrasings, names, Constants()), everything).mean()
    click.echo(
        f"as built: {100 * built:.1f}; average precision of {len(nouns)} nouns "
        f"{floor:.2f} → {precision_of(Constants()):.2f}"
    )


if __name__ == "__main__":
    main()
