"""The part of the embedded model that reads: drawn words, what they teach, and its two sides."""

from pathlib import Path

import numpy as np
import pytest
from click import UsageError
from PIL import Image

torch = pytest.importorskip("torch")

from clipsearch.models.pocket.query import ALPHABET, letter_ids, query_arrays  # noqa: E402
from training.data.sources import fingerprint  # noqa: E402
from training.packing.build import readers  # noqa: E402
from training.reading.canvas import GRID, NOTHING, Canvas, Studio  # noqa: E402
from training.reading.fonts import Hands, faces  # noqa: E402
from training.reading.model import TAPS, AskingSide, Reader, ReadingSide, Speller, Summary  # noqa: E402
from training.reading.train import Pupil, fit  # noqa: E402
from training.reading.vocabulary import Vocabulary, held_out  # noqa: E402

WORDS = Vocabulary(("river", "stone", "cloud"), ("dog", "street"))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = Path("/usr/share/fonts")
    try:
        found = faces([folder])
    except FileNotFoundError as error:
        pytest.skip(str(error))
    record = tmp_path_factory.mktemp("photos") / "grey.png"
    Image.new("RGB", (300, 240), (120, 130, 140)).save(record)
    hands = [Hands.of(found, test=test) for test in (False, True)]
    return Studio([record], WORDS, next(h for h in hands if h.families), {})


def canvases(studio: Studio, count: int) -> list[Canvas]:
    return [studio.canvas(np.random.default_rng([1, row])) for row in range(count)]


def test_one_seed_draws_one_canvas(studio: Studio) -> None:
    for first, second in zip(canvases(studio, 4), canvases(studio, 4), strict=True):
        assert (first.pixels == second.pixels).all()
        assert (first.cells == second.cells).all()
        assert first.words == second.words


def test_cells_spell_the_words_that_are_drawn(studio: Studio) -> None:
    spelled = 0
    for canvas in canvases(studio, 12):
        word, letter, start, end = canvas.cells
        for row, column in np.argwhere(word != NOTHING):
            said = canvas.words[word[row, column]]
            if said.isalpha() and len(said) <= 8:  # in numbers, points and signs take a place
                at = start[row, column]
                assert said[at] == ALPHABET[letter[row, column]]
                assert end[row, column] == len(said) - 1 - at
                spelled += 1
        assert (word[letter != NOTHING] != NOTHING).all()
    assert spelled > 100


def test_words_for_tests_are_never_taught() -> None:
    rng = np.random.default_rng(0)
    assert not any(held_out(WORDS.word(rng)) for _ in range(200))
    assert all(held_out(WORDS.word(rng, test=True)) for _ in range(20))


def test_every_picture_weighs_the_same() -> None:
    side = ReadingSide(Reader(), Summary()).eval()
    second, third = torch.randn(2, TAPS[0], 56, 56), torch.randn(2, TAPS[1], GRID, GRID)
    with torch.no_grad():
        lengths = side(second, third).norm(dim=1)
    assert torch.allclose(lengths, torch.ones(2), atol=1e-5)


def test_a_query_that_asks_for_nothing_is_nothing() -> None:
    side = AskingSide(Speller()).eval()
    queries = ["the word love", "a photo of 'LOVE'", "a dog on the beach"]
    letters, shares = (torch.from_numpy(part) for part in query_arrays(queries))
    with torch.no_grad():
        said = side(letters, shares)
    assert torch.allclose(said[0], said[1])
    assert said[0].norm() > 1
    assert not said[2].any()


def test_the_order_of_letters_counts() -> None:
    with torch.no_grad():
        dog, god = Speller().eval()(torch.from_numpy(letter_ids(["dog", "god"])))
    assert torch.dot(dog, god) < 0.999


def test_teaching_goes_on_from_earlier_weights(tmp_path: Path) -> None:
    torch.manual_seed(7)
    earlier = Pupil().state_dict()
    torch.save({"tower": "any", "pupil": earlier}, tmp_path / "earlier.pt")
    pupil = fit(
        [],
        0,
        device="cpu",
        checkpoint=tmp_path / "state.pt",
        seed=0,
        start=tmp_path / "earlier.pt",
    )
    for name, weight in pupil.state_dict().items():
        assert torch.equal(weight, earlier[name]), name


def test_what_was_taught_behind_another_tower_is_refused(tmp_path: Path) -> None:
    own, other = tmp_path / "own.pt", tmp_path / "other.pt"
    own.write_bytes(b"one tower")
    other.write_bytes(b"another tower")
    reading = tmp_path / "reading.pt"
    torch.save({"tower": fingerprint(own), "pupil": Pupil().state_dict()}, reading)
    seen, asked = readers(reading, own)
    assert not seen.reader.training
    assert not any(weight.requires_grad for weight in asked.parameters())
    with pytest.raises(UsageError, match=r"reading\.pt was taught behind another tower"):
        readers(reading, other)
