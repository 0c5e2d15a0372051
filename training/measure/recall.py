"""Quality on photographs that a fit never saw, from cached features or from the shipped files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipsearch.types import Vectors
from training.data.class_names import photo_of
from training.data.dataset import Material, Split
from training.data.features import Seen
from training.measure.metrics import Recall, image_to_text, precision, text_to_image, top1

See = Callable[[Seen, Sequence[int]], Vectors]
Say = Callable[[Tensor], Vectors]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model finds; percent. `coco` and `objects` are nan where the model learnt from them."""

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


def scores(material: Material, held: Split, see: See, say: Say, bare: Tensor) -> Scores:
    """Measure on the rows of `held`; `bare` (kinds, 384) are the object names without a prompt."""
    flickr, coco = material.flickr, material.coco
    seen = see(flickr.seen, held.flickr)
    texts, owner = _captions(flickr.sentences[list(held.flickr)])
    gallery = np.concatenate(
        [see(coco.seen, held.coco), see(material.backgrounds.seen, held.backgrounds)]
    )
    coco_texts, coco_owner = _captions(coco.sentences[list(held.coco)])
    labels = material.objects.labels
    kinds = sorted(set(labels))
    prompts = torch.stack([material.objects.sentences[labels.index(kind)] for kind in kinds])
    objects, right = (
        see(material.objects.seen, range(len(labels))),
        [kinds.index(k) for k in labels],
    )
    return Scores(
        text_to_image(say(texts), seen, owner),
        image_to_text(say(texts), seen, owner),
        text_to_image(say(coco_texts), gallery, coco_owner),
        top1(objects, say(prompts), right),
        top1(objects, say(bare), right),
        precision(objects, np.array(right), 5),
    )


def object_names(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The kinds of objects, with the prompt and bare."""
    kinds = sorted(set(labels))
    return [photo_of(kind) for kind in kinds], kinds


def _captions(sentences: Tensor) -> tuple[Tensor, NDArray[np.integer]]:
    """From (n, captions, 384): all captions, and the row of the photograph of each."""
    count, captions = sentences.shape[:2]
    return sentences.flatten(0, 1), np.repeat(np.arange(count), captions)
