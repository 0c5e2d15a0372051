"""Training batches of the reading model: objects, other images, and images with words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.textness.distractors import draw_distractor
from benchmarks.textness.spelling import Spelling
from benchmarks.textness.synthetic_words import Letter, Rng, WordRenderer, choose
from clipsearch.textness import TextRenderer

SIDE = 128  # pixels of the model's square input
CELL = 16  # pixels of the cells in which the image tower detects letters
# Images are stored at up to twice the input size. The images that the model gets later are reduced,
# which leaves them sharp. Trained on softer ones, it would take sharpness itself for text.
STORED_SIDE = 2 * SIDE  # pixels of the shorter side
MIN_CROP = 0.8  # of the shorter side
CROPS = 3  # of each image of an object
NAME_SHARE = 0.5  # of the drawn words are names of objects
DISTRACTOR_SHARE = 0.5  # of the crops without words have distractors

LetterMaps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (n, SIDE, SIDE, 3) uint8 in groups: objects, others, new, with a word, with text.

    `crops` are the indices of the first two groups among the crops of the training set; `words` are
    those of the fourth group. `maps`, (n, letters and pairs, cells, cells), mark where each letter
    and pair of letters is; they do not cover the last group, whose text is unknown.
    """

    pixels: NDArray[np.uint8]
    crops: NDArray[np.int64]
    words: tuple[str, ...]
    maps: LetterMaps

    @property
    def with_word(self) -> slice:
        """The crops with a word. Those before have no text, those after have any text."""
        return slice(len(self.maps) - len(self.words), len(self.maps))


@dataclass(frozen=True)
class TrainingSet:
    """Images of objects with labels (indices of `names`), other images, words and renderers.

    `word_renderer` draws one large word; `text_renderer` draws text of any kind and size, like the
    images that a probe is fitted with.
    """

    names: Sequence[str]
    objects: Sequence[Image.Image]
    labels: Sequence[int]
    others: Sequence[Image.Image]
    vocabulary: Sequence[str]
    word_renderer: WordRenderer
    text_renderer: TextRenderer
    spelling: Spelling

    @cached_property
    def crops(self) -> tuple[tuple[Image.Image, int], ...]:
        """Crops without words and their labels, -1 for other images; the same in each run."""
        rng = np.random.default_rng(0)
        labeled = zip(self.objects, self.labels, strict=True)
        crops = [(_crop(image, rng), label) for image, label in labeled for _ in range(CROPS)]
        return *crops, *((_crop(image, rng), -1) for image in self.others)

    @cached_property
    def channels(self) -> dict[str, int]:
        """The channels of the maps by letter and pair of letters."""
        names = (*ascii_lowercase, *self.spelling.pairs)
        return {name: channel for channel, name in enumerate(names)}

    def batch(
        self, rng: Rng, objects: int, others: int, new: int, with_word: int, with_text: int
    ) -> Batch:
        """A random batch with that many crops of each group."""
        object_crops = CROPS * len(self.objects)
        indices = np.concatenate(
            [
                rng.integers(object_crops, size=objects),
                rng.integers(object_crops, len(self.crops), others),
            ]
        )
        crops = [self.crops[index][0] for index in indices]
        # From the fixed crops alone, the model would memorize which images have no text.
        crops += [_crop(choose(self.others, rng), rng) for _ in range(new)]
        crops = [_mirror(crop) if rng.random() < 0.5 else crop for crop in crops]
        crops = [
            draw_distractor(crop, rng) if rng.random() < DISTRACTOR_SHARE else crop
            for crop in crops
        ]
        words, maps = [], np.zeros((len(crops) + with_word, *self._map_shape), np.float32)
        for row in range(len(crops), len(maps)):
            images = self.objects if rng.random() < 0.3 else self.others
            crop = _crop(choose(images, rng), rng)
            words.append(self._random_word(rng))
            crop, letters = self.word_renderer.draw(crop, words[-1], rng)
            self._mark_letters(maps[row], letters)
            crops.append(crop)
        crops += [
            self.text_renderer.render(_crop(choose(self.others, rng), rng), rng)
            for _ in range(with_text)
        ]
        pixels = np.stack([np.asarray(crop) for crop in crops])
        return Batch(pixels, indices, tuple(words), maps)

    @property
    def _map_shape(self) -> tuple[int, int, int]:
        return len(self.channels), SIDE // CELL, SIDE // CELL

    def _random_word(self, rng: Rng) -> str:
        return choose(self.names if rng.random() < NAME_SHARE else self.vocabulary, rng)

    def _mark_letters(self, maps: LetterMaps, letters: Sequence[Letter]) -> None:
        pairs = [
            Letter((a.x + b.x) / 2, (a.y + b.y) / 2, a.character + b.character)
            for a, b in pairwise(letters)
        ]
        last = SIDE // CELL - 1
        for letter in (*letters, *pairs):
            if (channel := self.channels.get(letter.character)) is not None:
                x = min(max(int(letter.x // CELL), 0), last)
                y = min(max(int(letter.y // CELL), 0), last)
                maps[channel, y, x] = 1


def reduce_image(image: Image.Image) -> Image.Image:
    """The image reduced as far as sharp crops allow; a small image keeps its size."""
    scale = min(1.0, STORED_SIDE / min(image.size))
    width, height = (round(side * scale) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _crop(image: Image.Image, rng: Rng) -> Image.Image:
    """A random square crop, at least `MIN_CROP` of the shorter side, resized to `SIDE`."""
    side = int(rng.integers(round(MIN_CROP * min(image.size)), min(image.size) + 1))
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def _mirror(crop: Image.Image) -> Image.Image:
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
