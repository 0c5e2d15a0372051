"""Measure the calibration of the embedded model on images and queries that its fit has not seen.

    python -m training.measure.eval_calibration --data ../shared/data \\
        --trial .cache/training/calibration

Images and queries are split into halves, twice: a calibration is fitted to one half, without the
words of the queries of the other, and measured there. The images must be unknown to the model: for
the released weights, Flickr8k's validation images and `--unseen`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from clipsearch.calibration import Calibration
from clipsearch.calibration.caption_queries import caption_queries
from clipsearch.calibration.fit import PROMPT, CaptionedVectors, fit_calibration
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder
from clipsearch.types import Vectors
from training.data.sources import CaptionedImage
from training.measure.eval_release import embed_images, embed_texts
from training.packing.build_calibration import SHIFT, rows_without_training, shifted, unseen_rows

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
QUERIES = Path(__file__).with_name("calibration_queries.txt")
REACH = 3  # words between an attribute and what it belongs to
LEAST = 4  # relevant images of a query that is measured
FREQUENT = 40
USABLE = 0.4  # F1 of the best cut, below which captions and model hardly agree on what is relevant
OF_EACH, ABSENT = 20, 40
CUTS = np.exp(np.linspace(np.log(0.02), np.log(0.9), 60))
_SHARED = "a in on with and of red white black blue green yellow brown pink orange purple two three"
SHARED = frozenset(_SHARED.split())


@dataclass(frozen=True, slots=True)
class LabeledQuery:
    """A text, which images (n,) are relevant, and the words that decide on that."""

    text: str
    relevant: np.ndarray
    words: frozenset[str]
    has_attribute: bool


@dataclass(frozen=True, slots=True)
class Result:
    """The p (n,) of a query's images, which are relevant, and the F1 of the best cut."""

    kind: str
    p: Vectors
    relevant: np.ndarray
    best: float

    def share(self, cut: float) -> float:
        """F1 at a cut of p, as a share of that of the best cut of the score."""
        return f1(self.p >= cut, self.relevant) / self.best


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--unseen", type=FOLDER, multiple=True, help="More images unknown to the model.")
@click.option("--trial", type=FOLDER, help="Output of packing.build --calibration.")
@click.option("--prompt", is_flag=True, help="Ask for things as “a photo of a …”.")
def main(data: Path, unseen: tuple[Path, ...], trial: Path | None, *, prompt: bool) -> None:
    encoder = PocketEncoder(trial or WEIGHTS)
    rows = rows_without_training(data) if trial else unseen_rows(data, unseen)
    images = embed_images(encoder, [row.path for row in rows])
    queries, absent = read_queries(rows)
    if prompt:
        queries = [replace(query, text=PROMPT.format(query.text)) for query in queries]
        absent = [PROMPT.format(text) for text in absent]
    results: list[Result] = []
    empty: list[Vectors] = []
    draw = np.random.default_rng(0)
    image_half, query_half = draw.permutation(len(rows)) % 2, draw.permutation(len(queries)) % 2
    for fold in (0, 1):
        fitted, tested = np.flatnonzero(image_half == fold), np.flatnonzero(image_half != fold)
        asked = [query for query, half in zip(queries, query_half, strict=True) if half != fold]
        calibration = fit(encoder, images, rows, fitted, asked)
        results += measured(calibration, encoder, images[tested], tested, asked)
        for text in embed_texts(encoder, absent[fold::2]):
            scores = images[tested] @ text
            empty.append(calibration.probabilities(text, images[tested], scores))
    for line in report(results, empty[:ABSENT]):
        click.echo(line)


def fit(
    encoder: PocketEncoder,
    images: Vectors,
    rows: Sequence[CaptionedImage],
    fitted: np.ndarray,
    asked: Sequence[LabeledQuery],
) -> Calibration:
    """Fit to some images, without the words of the queries that are asked later."""
    captions = [rows[row].captions for row in fitted]
    hidden = frozenset().union(*(query.words for query in asked)) - SHARED
    stems = hidden | {word.removesuffix("s") for word in hidden}
    found = [q for q in caption_queries(captions) if stems.isdisjoint(q.text.split())]
    data = CaptionedVectors(
        images[fitted],
        embed_texts(encoder, [text for texts in captions for text in texts]),
        np.repeat(np.arange(len(captions)), [len(texts) for texts in captions]),
        embed_texts(encoder, [query.text for query in found]),
        embed_texts(encoder, [PROMPT.format(query.text) for query in found]),
        found,
    )
    # Its words are chosen without looking at images, so that they may be those of the queries.
    common = [query.text for query in caption_queries([row.captions for row in rows])]
    words = (common, embed_texts(encoder, common))
    source = "half of the images"
    return shifted(fit_calibration(encoder.identity, data, source, words=words), SHIFT)


def measured(
    calibration: Calibration,
    encoder: PocketEncoder,
    images: Vectors,
    tested: np.ndarray,
    asked: Sequence[LabeledQuery],
) -> Iterator[Result]:
    """Yield the results of the queries that have relevant images among those tested."""
    for query, text in zip(asked, embed_texts(encoder, [q.text for q in asked]), strict=True):
        relevant = query.relevant[tested]
        count = int(relevant.sum())
        if count >= LEAST:
            scores = images @ text
            kind = "frequent" if count >= FREQUENT else "rare"
            yield Result(
                "attributes" if query.has_attribute else kind,
                calibration.probabilities(text, images, scores),
                relevant,
                best_f1(scores, relevant),
            )


def report(results: Sequence[Result], empty: Sequence[Vectors]) -> Iterator[str]:
    """Yield the lines of the report: shares of the best F1, absent things, reliability."""
    usable = [result for result in results if result.best >= USABLE]
    groups = {
        kind: [result for result in usable if result.kind == kind][:OF_EACH]
        for kind in ("frequent", "rare", "attributes")
    }
    chosen = [result for group in groups.values() for result in group]
    for cut in (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, _best_cut(chosen)):
        parts = [f"{name} {_mean_share(group, cut):.2f}" for name, group in groups.items()]
        quiet = sum(int((p >= cut).sum() <= 2) for p in empty)
        yield (
            f"cut {cut:.2f}: share of the best F1 {_mean_share(chosen, cut):.3f} of {len(chosen)} "
            f"({', '.join(parts)}); all {len(results)}: {_mean_share(results, cut):.3f}; absent "
            f"with at most 2: {quiet} of {len(empty)}"
        )
    p = np.concatenate([result.p for result in results])
    relevant = np.concatenate([result.relevant for result in results])
    error = 0.0
    for low in np.arange(0.05, 1, 0.1):
        within = (p >= low) & (p < low + 0.1)
        if within.any():
            error += within.sum() * abs(p[within].mean() - relevant[within].mean())
            yield f"p {p[within].mean():.2f}: {relevant[within].mean():.2f} of {within.sum():,}"
    yield f"expected calibration error where p is at least 0.05: {error / (p >= 0.05).sum():.3f}"


def read_queries(rows: Sequence[CaptionedImage]) -> tuple[list[LabeledQuery], list[str]]:
    """Read the queries, with their relevant images, and the texts of absent things."""
    words = [re.findall(r"[a-z]+|[.,]", " . ".join(row.captions).lower()) for row in rows]
    queries, absent = [], []
    for line in QUERIES.read_text("utf-8").splitlines():
        text, colon, rule = line.partition(": ")
        if line.startswith("#"):
            continue
        if not colon:
            absent.append(line)
            continue
        attributes, at, things = rule.rpartition("@")
        names = re.split("[ ,]", things)
        first = attributes.split(",") if at else []
        relevant = np.array([_mentions(caption, first, names) for caption in words])
        used = frozenset(re.findall("[a-z]+", line))
        queries.append(LabeledQuery(text, relevant, used, bool(at)))
    return queries, absent


def _mentions(words: Sequence[str], attributes: Sequence[str], things: Sequence[str]) -> bool:
    if attributes:
        return any(
            word in attributes and any(near in things for near in words[at + 1 : at + 1 + REACH])
            for at, word in enumerate(words)
        )
    present, text = set(words), f" {' '.join(words)} "
    return any(
        f" {name.replace('+', ' ')} " in text if "+" in name else name in present for name in things
    )


def f1(found: np.ndarray, relevant: np.ndarray) -> float:
    """The harmonic mean of precision and recall of (n,) decisions."""
    return float(2 * (found & relevant).sum() / max(found.sum() + relevant.sum(), 1))


def best_f1(scores: Vectors, relevant: np.ndarray) -> float:
    """The F1 of the best cut of (n,) scores."""
    hits = np.cumsum(relevant[np.argsort(-scores)])
    return float(np.max(2 * hits / (np.arange(1, len(hits) + 1) + relevant.sum())))


def _mean_share(results: Sequence[Result], cut: float) -> float:
    return float(np.mean([result.share(cut) for result in results])) if results else float("nan")


def _best_cut(results: Sequence[Result]) -> float:
    return float(max(CUTS, key=lambda cut: _mean_share(results, cut)))


if __name__ == "__main__":
    main()
