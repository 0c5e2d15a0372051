"""All photographs and texts, read once, and what a fit may learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.corpus import Captioned, Corpus, Named
from training.features import Seen, Towers
from training.sources import Photograph, captioned
from training.words import Names, Words, photo_of, words

CAPTIONS = 5  # a photograph, in every batch; those with fewer repeat theirs
COCO_REPEAT = 3  # the small set weighs as much as three times its size
DISTRACTORS = 278  # photographs without captions, beside the 70 of COCO that a trial keeps back
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
    """Everything under `data`, and the words of ImageNet."""

    flickr: Photos
    coco: Photos
    more: Sequence[Photos]
    backgrounds: Seen
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


def read(data: Path, more: Sequence[Path], towers: Towers, names: Names) -> Material:
    """Run both towers over all of `data` and the captioned folders `more`, or read the cache."""

    def photos(folder: Path) -> Photos:
        rows = captioned(folder)
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
        flickr=photos(data / "flickr8k"),
        coco=photos(data / "coco"),
        more=[photos(folder) for folder in more],
        backgrounds=towers.photos(sorted((data / "backgrounds").glob("*.*"))),
        sample=labelled(sample, ids, [photo_of(names.synsets[i].lemmas[0]) for i in ids]),
        grocery=labelled(grocery, goods, [f"a photo of {name}" for name in goods]),
        objects=labelled(objects, kinds, [photo_of(kind) for kind in kinds]),
        words=words(names, towers),
    )


def trial_split(material: Material) -> tuple[Split, Split]:
    """What a trial learns from, and what it is measured on; no photograph is in both."""
    return trial_rows(material.flickr.rows, len(material.coco.rows), len(material.backgrounds))


def trial_rows(
    flickr: Sequence[Photograph], captioned: int, backgrounds: int
) -> tuple[Split, Split]:
    """The rows of `trial_split`, from Flickr8k's and the numbers of COCO's photographs."""
    val = [i for i, row in enumerate(flickr) if row.split != "train"]
    train = [i for i, row in enumerate(flickr) if row.split == "train"]
    draw = np.random.default_rng(0)
    kept = draw.choice(train, EXTRA, replace=False).tolist()
    others = draw.choice(backgrounds, DISTRACTORS, replace=False).tolist()
    return (
        Split(
            sorted(set(train) - set(kept)),
            range(0, captioned, 2),
            sorted(set(range(backgrounds)) - set(others)),
            objects=False,
        ),
        Split(sorted(val + kept), range(1, captioned, 2), others, objects=True),
    )


def final_split(material: Material) -> Split:
    """All but Flickr8k's own validation photographs."""
    train = [i for i, row in enumerate(material.flickr.rows) if row.split == "train"]
    coco, others = range(len(material.coco.rows)), range(len(material.backgrounds))
    return Split(train, coco, others, objects=True)


def corpus(material: Material, split: Split) -> Corpus:
    """Put together what a fit learns from."""
    nothing = torch.zeros(0, material.coco.sentences.shape[2])
    told = [
        material.flickr.captioned(split.flickr),
        material.coco.captioned(split.coco, COCO_REPEAT),
        *(part.captioned(range(len(part.rows))) for part in material.more),
    ]
    others = [
        material.sample.named(0),
        material.grocery.named(10_000),
        Named(material.backgrounds, split.backgrounds, nothing, []),
    ]
    if split.objects:
        others.append(material.objects.named(20_000))
    return Corpus(told, others)
