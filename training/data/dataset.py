"""All photographs and texts, read once, and what a fit may learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from training.data.class_names import Names, Words, photo_of, words
from training.data.corpus import Captioned, Corpus, Named
from training.data.features import Reads, Seen
from training.data.sources import Photograph, captioned, described

CAPTIONS = 5  # a photograph, in every batch; those with fewer repeat theirs
COCO_REPEAT = 3  # the small set weighs as much as three times its size
DISTRACTORS = 278  # other photographs, beside those of COCO that a trial keeps back
EXTRA = (
    500  # of Flickr8k's training photographs, kept back from a trial with its 500 for validation
)


@dataclass(frozen=True, slots=True)
class Photos:
    """Photographs of one folder: what the tower sees of them, and what is said of each."""

    seen: Seen
    rows: Sequence[Photograph]
    sentences: Tensor  # (n, CAPTIONS, 384); (n, 0, 384) where nothing is said

    def captioned(self, rows: Sequence[int], repeat: int = 1) -> Captioned:
        return Captioned(self.seen, rows, self.sentences[list(rows)], repeat)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Photographs with the name of what they show: a prompt (n, 384) and a key each."""

    seen: Seen
    labels: Sequence[str]
    sentences: Tensor

    def named(self, offset: int) -> Named:
        kinds = sorted(set(self.labels))
        keys = [offset + kinds.index(label) for label in self.labels]
        return Named(self.seen, range(len(self.labels)), self.sentences, keys)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything under `data`, and the words of ImageNet; of `others` nothing is ever kept back."""

    flickr: Photos
    coco: Photos
    backgrounds: Photos
    others: Sequence[Photos]
    sample: Labelled
    grocery: Labelled
    objects: Labelled
    words: Words


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from; the objects are learnt from or not."""

    flickr: Sequence[int]
    coco: Sequence[int]
    backgrounds: Sequence[int]
    objects: bool


def read(data: Path, more: Sequence[Path], towers: Reads, names: Names) -> Material:
    """Run both towers over all of `data` and the captioned folders `more`, or read the cache.

    Where `towers` give numbers of texts, those stand in the place of sentence vectors everywhere: (n, …)
    int64 instead of (n, …, 384).
    """

    def photos(rows: Sequence[Photograph]) -> Photos:
        texts = [row.captions[i % len(row.captions)] for row in rows for i in range(CAPTIONS)]
        said = towers.sentences(texts).unflatten(0, (len(rows), CAPTIONS))
        return Photos(towers.photos([row.path for row in rows]), rows, said)

    def labelled(paths: Sequence[Path], labels: Sequence[str], say: Sequence[str]) -> Labelled:
        return Labelled(towers.photos(paths), labels, towers.sentences(say))

    sample = sorted((data / "imagenet_sample").glob("*.JPEG"))
    ids = [path.name.split("_")[0] for path in sample]
    objects = sorted((data / "objects").glob("*/*.jpg"))
    kinds = [path.parent.name.replace("_", " ").lower() for path in objects]
    grocery = sorted((data / "grocery").glob("*/*"))
    goods = [p.parent.name.replace("_", " ").replace("-", " ").lower() for p in grocery]
    return Material(
        flickr=photos(captioned(data / "flickr8k")),
        coco=photos(captioned(data / "coco")),
        backgrounds=photos(described(data, sorted((data / "backgrounds").glob("*.*")))),
        others=[
            photos(described(data, sample)),
            *(photos(captioned(folder)) for folder in more),
        ],
        sample=labelled(sample, ids, [photo_of(names.synsets[i].lemmas[0]) for i in ids]),
        grocery=labelled(grocery, goods, [f"a photo of {name}" for name in goods]),
        objects=labelled(objects, kinds, [photo_of(kind) for kind in kinds]),
        words=words(names, towers),
    )


def trial_split(material: Material) -> tuple[Split, Split]:
    """What a trial learns from, and what it is measured on; no photograph is in both."""
    return trial_rows(material.flickr.rows, material.coco.rows, material.backgrounds.rows)


def trial_rows(
    flickr: Sequence[Photograph], coco: Sequence[Photograph], backgrounds: Sequence[Photograph]
) -> tuple[Split, Split]:
    """The rows of `trial_split`.

    COCO's photographs that are among the backgrounds too, whose files end in the same number, are
    not measured on: the trial may have learnt from the copy.
    """
    val = [i for i, row in enumerate(flickr) if row.split != "train"]
    train = [i for i, row in enumerate(flickr) if row.split == "train"]
    draw = np.random.default_rng(0)
    kept = draw.choice(train, EXTRA, replace=False).tolist()
    others = draw.choice(len(backgrounds), DISTRACTORS, replace=False).tolist()
    copied = {_number(row) for row in backgrounds}
    return (
        Split(
            sorted(set(train) - set(kept)),
            range(0, len(coco), 2),
            sorted(set(range(len(backgrounds))) - set(others)),
            objects=False,
        ),
        Split(
            sorted(val + kept),
            [i for i in range(1, len(coco), 2) if _number(coco[i]) not in copied],
            others,
            objects=True,
        ),
    )


def _number(photo: Photograph) -> str:
    return photo.path.stem.rpartition("_")[2]


def final_split(material: Material) -> Split:
    """All but Flickr8k's own validation photographs."""
    train = [i for i, row in enumerate(material.flickr.rows) if row.split == "train"]
    coco, others = range(len(material.coco.rows)), range(len(material.backgrounds.rows))
    return Split(train, coco, others, objects=True)


def told(material: Material, split: Split) -> list[Captioned]:
    """The photographs with captions that a fit learns from."""
    return [
        material.flickr.captioned(split.flickr),
        material.coco.captioned(split.coco, COCO_REPEAT),
        material.backgrounds.captioned(split.backgrounds),
        *(photos.captioned(range(len(photos.rows))) for photos in material.others),
    ]


def corpus(material: Material, split: Split) -> Corpus:
    """Put together what a fit learns from."""
    named = [material.sample.named(0), material.grocery.named(10_000)]
    if split.objects:
        named.append(material.objects.named(20_000))
    return Corpus(told(material, split), named)
