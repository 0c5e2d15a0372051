"""All images and texts, loaded once, and their split into training and test rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.class_names import ClassNames, ClassTexts, embed_class_names, prompt_for
from training.data.corpus import CaptionedSet, Corpus, NamedSet
from training.data.features import FeatureExtractor, ImageFeatures
from training.data.hard_negatives import negative_ids
from training.data.sources import CaptionedImage, own_captioned, read_captioned

CAPTIONS = 5  # per image, in every batch; images with fewer repeat theirs
COCO_REPEAT = 3  # the small set counts three times
DISTRACTORS = 278  # other images, beside those of COCO, in the test set of a trial
# Flickr8k training images that a trial holds out, beside the 500 validation images.
EXTRA = 500


@dataclass(frozen=True, slots=True)
class CaptionedImages:
    """Images of one folder: features, and the captions of each."""

    features: ImageFeatures
    rows: Sequence[CaptionedImage]
    sentences: Tensor  # (n, CAPTIONS, 384)
    negatives: Tensor  # (n, CAPTIONS, kinds), rows of `Dataset.wrong`

    def captioned(self, rows: Sequence[int], repeat: int = 1) -> CaptionedSet:
        at = list(rows)
        return CaptionedSet(self.features, rows, self.sentences[at], repeat, self.negatives[at])


@dataclass(frozen=True, slots=True)
class LabeledImages:
    """Images with the name of what they show: a prompt (n, 384) and a key each."""

    features: ImageFeatures
    labels: Sequence[str]
    sentences: Tensor

    def named(self, offset: int) -> NamedSet:
        kinds = sorted(set(self.labels))
        keys = [offset + kinds.index(label) for label in self.labels]
        return NamedSet(self.features, range(len(self.labels)), self.sentences, keys)


@dataclass(frozen=True, slots=True)
class Dataset:
    """All images under `data`, and ImageNet's class texts. `others` are only trained on.

    `wrong` (k, 384) are hard negatives of the captions.
    """

    flickr: CaptionedImages
    coco: CaptionedImages
    backgrounds: CaptionedImages
    captioned_sample: CaptionedImages
    everyday: CaptionedImages
    others: Sequence[CaptionedImages]
    sample: LabeledImages
    grocery: LabeledImages
    objects: LabeledImages
    words: ClassTexts
    wrong: Tensor


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of each set; `objects` says whether the object images are included.

    `everyday` are the rows of those images; None means all.
    """

    flickr: Sequence[int]
    coco: Sequence[int]
    backgrounds: Sequence[int]
    objects: bool
    everyday: Sequence[int] | None = None


def load_dataset(
    data: Path,
    more: Sequence[Path],
    towers: FeatureExtractor,
    names: ClassNames,
    hidden: Collection[str] = (),
) -> Dataset:
    """Run both towers over `data` and the captioned folders `more`, or load their cached outputs.

    Images and names of the ImageNet classes with the ids `hidden` are left out. If `towers` return
    text ids, these replace sentence vectors everywhere: (n, …) int64 instead of (n, …, 384).
    """

    def images(rows: Sequence[CaptionedImage], ids: Tensor) -> CaptionedImages:
        sentences = towers.sentences(captions(rows)).unflatten(0, (len(rows), CAPTIONS))
        negatives = ids.unflatten(0, (len(rows), CAPTIONS))
        features = towers.images([row.path for row in rows])
        return CaptionedImages(features, rows, sentences, negatives)

    def labelled(
        paths: Sequence[Path], labels: Sequence[str], texts: Sequence[str]
    ) -> LabeledImages:
        return LabeledImages(towers.images(paths), labels, towers.sentences(texts))

    sample = [path for path in sample_images(data) if sample_class(path) not in hidden]
    ids = [sample_class(path) for path in sample]
    objects = sorted((data / "objects").glob("*/*.jpg"))
    object_names = [path.parent.name.replace("_", " ").lower() for path in objects]
    grocery = sorted((data / "grocery").glob("*/*"))
    goods = [p.parent.name.replace("_", " ").replace("-", " ").lower() for p in grocery]
    told = [
        read_captioned(data / "flickr8k"),
        read_captioned(data / "coco"),
        own_captioned(data, sorted((data / "backgrounds").glob("*.*"))),
        own_captioned(data, sample),
        *(read_captioned(folder) for folder in (data / "everyday", *more)),
    ]
    negatives, wrong = negative_ids([text for rows in told for text in captions(rows)])
    parts = torch.from_numpy(negatives).split([len(rows) * CAPTIONS for rows in told])
    flickr, coco, backgrounds, captioned_sample, everyday, *others = map(images, told, parts)
    return Dataset(
        flickr=flickr,
        coco=coco,
        backgrounds=backgrounds,
        captioned_sample=captioned_sample,
        everyday=everyday,
        others=others,
        sample=labelled(sample, ids, [prompt_for(names.synsets[i].lemmas[0]) for i in ids]),
        grocery=labelled(grocery, goods, [f"a photo of {name}" for name in goods]),
        objects=labelled(objects, object_names, [prompt_for(name) for name in object_names]),
        words=embed_class_names(names, towers, hidden),
        wrong=towers.sentences(wrong),
    )


def sample_images(data: Path) -> list[Path]:
    """Return the images of ImageNet, one of each class."""
    return sorted((data / "imagenet_sample").glob("*.JPEG"))


def sample_class(path: Path) -> str:
    """Return the WordNet id of an image's class."""
    return path.name.split("_")[0]


def captions(rows: Sequence[CaptionedImage]) -> list[str]:
    """Return CAPTIONS captions of each image; those of an image with fewer are repeated."""
    return [row.captions[i % len(row.captions)] for row in rows for i in range(CAPTIONS)]


def trial_split(dataset: Dataset) -> tuple[Split, Split]:
    """Return the training and the test rows of a trial; no image is in both."""
    return trial_rows(dataset.flickr.rows, dataset.coco.rows, dataset.backgrounds.rows)


def trial_rows(
    flickr: Sequence[CaptionedImage],
    coco: Sequence[CaptionedImage],
    backgrounds: Sequence[CaptionedImage],
) -> tuple[Split, Split]:
    """Return the rows of `trial_split`.

    COCO images that are also among the backgrounds (their file names end in the same number) are
    not in the test set: the trial may be trained on the copy.
    """
    val = [i for i, row in enumerate(flickr) if row.split != "train"]
    train = [i for i, row in enumerate(flickr) if row.split == "train"]
    draw = np.random.default_rng(0)
    held_out = draw.choice(train, EXTRA, replace=False).tolist()
    others = draw.choice(len(backgrounds), DISTRACTORS, replace=False).tolist()
    copied = {_number(row) for row in backgrounds}
    return (
        Split(
            sorted(set(train) - set(held_out)),
            range(0, len(coco), 2),
            sorted(set(range(len(backgrounds))) - set(others)),
            objects=False,
        ),
        Split(
            sorted(val + held_out),
            [i for i in range(1, len(coco), 2) if _number(coco[i]) not in copied],
            others,
            objects=True,
        ),
    )


def _number(image: CaptionedImage) -> str:
    return image.path.stem.rpartition("_")[2]


def final_split(dataset: Dataset) -> Split:
    """Return all rows except Flickr8k's own validation images."""
    train = [i for i, row in enumerate(dataset.flickr.rows) if row.split == "train"]
    coco, others = range(len(dataset.coco.rows)), range(len(dataset.backgrounds.rows))
    return Split(train, coco, others, objects=True)


def calibration_split(dataset: Dataset) -> Split:
    """Return the training rows of a trial without every second image of `everyday/`.

    There are too few images in the test set of a trial to fit a calibration to.
    """
    train, _ = trial_split(dataset)
    return replace(train, everyday=range(0, len(dataset.everyday.rows), 2))


def captioned_sets(dataset: Dataset, split: Split) -> list[CaptionedSet]:
    """Return the captioned images of a split."""
    every = range(len(dataset.everyday.rows))
    return [
        dataset.flickr.captioned(split.flickr),
        dataset.coco.captioned(split.coco, COCO_REPEAT),
        dataset.backgrounds.captioned(split.backgrounds),
        dataset.captioned_sample.captioned(range(len(dataset.captioned_sample.rows))),
        dataset.everyday.captioned(every if split.everyday is None else split.everyday),
        *(images.captioned(range(len(images.rows))) for images in dataset.others),
    ]


def build_corpus(dataset: Dataset, split: Split) -> Corpus:
    """Build the training corpus of a split."""
    named = [dataset.sample.named(0), dataset.grocery.named(10_000)]
    if split.objects:
        named.append(dataset.objects.named(20_000))
    return Corpus(captioned_sets(dataset, split), named, dataset.wrong)
