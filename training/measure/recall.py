"""Quality of trained heads on held-out images, from cached features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipsearch.types import Vectors
from training.data.class_names import prompt_for
from training.data.dataset import Dataset, Split
from training.data.features import ImageFeatures
from training.measure.metrics import Recall, image_to_text, precision, text_to_image, top1

EmbedImages = Callable[[ImageFeatures, Sequence[int]], Vectors]
EmbedTexts = Callable[[Tensor], Vectors]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores in percent. `coco` and `objects` are NaN if the model was trained on them."""

    flickr_text: Recall
    flickr_image: Recall
    coco_text: Recall
    objects_prompt: float
    objects_bare: float
    same_object: float

    def line(self) -> str:
        """Render in one line, for a log."""
        return (
            f"flickr {self.flickr_text} | {self.flickr_image}, coco {self.coco_text}, "
            f"objects {self.objects_prompt:.1f} (bare {self.objects_bare:.1f}), "
            f"same object {self.same_object:.1f}"
        )


def scores(
    dataset: Dataset, held: Split, embed_images: EmbedImages, embed_texts: EmbedTexts, bare: Tensor
) -> Scores:
    """Evaluate on the rows of `held`; `bare` (kinds, 384) are object names without a prompt."""
    flickr, coco = dataset.flickr, dataset.coco
    image_vectors = embed_images(flickr.features, held.flickr)
    texts, owner = _captions(flickr.sentences[list(held.flickr)])
    gallery = np.concatenate(
        [
            embed_images(coco.features, held.coco),
            embed_images(dataset.backgrounds.features, held.backgrounds),
        ]
    )
    coco_texts, coco_owner = _captions(coco.sentences[list(held.coco)])
    labels = dataset.objects.labels
    kinds = sorted(set(labels))
    prompts = torch.stack([dataset.objects.sentences[labels.index(kind)] for kind in kinds])
    objects, right = (
        embed_images(dataset.objects.features, range(len(labels))),
        [kinds.index(k) for k in labels],
    )
    return Scores(
        text_to_image(embed_texts(texts), image_vectors, owner),
        image_to_text(embed_texts(texts), image_vectors, owner),
        text_to_image(embed_texts(coco_texts), gallery, coco_owner),
        top1(objects, embed_texts(prompts), right),
        top1(objects, embed_texts(bare), right),
        precision(objects, np.array(right), 5),
    )


def object_names(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the object names, sorted: in the prompt, and bare."""
    kinds = sorted(set(labels))
    return [prompt_for(kind) for kind in kinds], kinds


def _captions(sentences: Tensor) -> tuple[Tensor, NDArray[np.integer]]:
    """Flatten (n, captions, 384) to all captions, and return the image row of each."""
    count, captions = sentences.shape[:2]
    return sentences.flatten(0, 1), np.repeat(np.arange(count), captions)
