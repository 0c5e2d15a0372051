"""The reading heads of the embedded model: canvases, training, and both heads."""

from pathlib import Path

import numpy as np
import pytest
from click import UsageError
from PIL import Image

torch = pytest.importorskip("torch")

from clipsearch.models.pocket.query_words import ALPHABET, letter_ids, query_arrays  # noqa: E402
from training.data.sources import fingerprint  # noqa: E402
from training.packing.trained import load_reading_heads  # noqa: E402
from training.reading.canvas import EMPTY, GRID, Canvas, CanvasFactory  # noqa: E402
from training.reading.fonts import FontSet, find_faces  # noqa: E402
from training.reading.model import (  # noqa: E402
    TAPS,
    ReadingImageHead,
    ReadingNetwork,
    ReadingPooling,
    ReadingTextHead,
    WordEncoder,
)
from training.reading.train import ReadingModel, fit  # noqa: E402
from training.reading.vocabulary import Vocabulary, held_out  # noqa: E402

WORDS = Vocabulary(("river", "stone", "cloud"), ("dog", "street"))


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> CanvasFactory:
    folder = Path("/usr/share/fonts")
    try:
        found = find_faces([folder])
    except FileNotFoundError as error:
        pytest.skip(str(error))
    record = tmp_path_factory.mktemp("photos") / "grey.png"
    Image.new("RGB", (300, 240), (120, 130, 140)).save(record)
    hands = [FontSet.of(found, test=test) for test in (False, True)]
    return CanvasFactory([record], WORDS, next(h for h in hands if h.families), {})


def canvases(factory: CanvasFactory, count: int) -> list[Canvas]:
    return [factory.canvas(np.random.default_rng([1, row])) for row in range(count)]


def test_a_seed_determines_the_canvas(factory: CanvasFactory) -> None:
    for first, second in zip(canvases(factory, 4), canvases(factory, 4), strict=True):
        assert (first.pixels == second.pixels).all()
        assert (first.cells == second.cells).all()
        assert first.words == second.words


def test_cells_spell_the_words_that_are_drawn(factory: CanvasFactory) -> None:
    spelled = 0
    for canvas in canvases(factory, 12):
        word, letter, start, end = canvas.cells
        for row, column in np.argwhere(word != EMPTY):
            said = canvas.words[word[row, column]]
            if said.isalpha() and len(said) <= 8:  # in numbers, points and signs take a place
                at = start[row, column]
                assert said[at] == ALPHABET[letter[row, column]]
                assert end[row, column] == len(said) - 1 - at
                spelled += 1
        assert (word[letter != EMPTY] != EMPTY).all()
    assert spelled > 100


def test_held_out_words_are_never_drawn_for_training() -> None:
    rng = np.random.default_rng(0)
    assert not any(held_out(WORDS.word(rng)) for _ in range(200))
    assert all(held_out(WORDS.word(rng, test=True)) for _ in range(20))


def test_every_image_has_the_same_weight() -> None:
    side = ReadingImageHead(ReadingNetwork(), ReadingPooling()).eval()
    second, third = torch.randn(2, TAPS[0], 56, 56), torch.randn(2, TAPS[1], GRID, GRID)
    with torch.no_grad():
        lengths = side(second, third).norm(dim=1)
    assert torch.allclose(lengths, torch.ones(2), atol=1e-5)


def test_a_query_without_words_gives_zeros() -> None:
    side = ReadingTextHead(WordEncoder()).eval()
    queries = ["the word love", "a photo of 'LOVE'", "a dog on the beach"]
    letters, shares = (torch.from_numpy(part) for part in query_arrays(queries))
    with torch.no_grad():
        said = side(letters, shares)
    assert torch.allclose(said[0], said[1])
    assert said[0].norm() > 1
    assert not said[2].any()


def test_letter_order_matters() -> None:
    with torch.no_grad():
        dog, god = WordEncoder().eval()(torch.from_numpy(letter_ids(["dog", "god"])))
    assert torch.dot(dog, god) < 0.999


def test_training_continues_from_earlier_weights(tmp_path: Path) -> None:
    torch.manual_seed(7)
    earlier = ReadingModel().state_dict()
    torch.save({"tower": "any", "model": earlier}, tmp_path / "earlier.pt")
    model = fit(
        [],
        0,
        device="cpu",
        checkpoint=tmp_path / "state.pt",
        seed=0,
        start=tmp_path / "earlier.pt",
    )
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, earlier[name]), name


def test_reading_heads_of_another_tower_are_refused(tmp_path: Path) -> None:
    own, other = tmp_path / "own.pt", tmp_path / "other.pt"
    own.write_bytes(b"one tower")
    other.write_bytes(b"another tower")
    reading = tmp_path / "reading.pt"
    torch.save({"tower": fingerprint(own), "model": ReadingModel().state_dict()}, reading)
    seen, asked = load_reading_heads(reading, own)
    assert not seen.reader.training
    assert not any(weight.requires_grad for weight in asked.parameters())
    with pytest.raises(UsageError, match=r"reading\.pt was trained on another tower"):
        load_reading_heads(reading, other)
