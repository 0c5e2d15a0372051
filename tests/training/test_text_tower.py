"""Tuning of the text tower: late layers equal the whole tower, and only they are trained."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from tests.helpers.heads import RECIPE, small_heads, small_seen, some_words  # noqa: E402
from training.data.class_names import ClassTexts  # noqa: E402
from training.data.corpus import CaptionedSet, Corpus, NamedSet  # noqa: E402
from training.heads.train import Heads, train  # noqa: E402
from training.packing.export import load_tokenizer  # noqa: E402
from training.text_tower.late_layers import LAYERS, DeferredTexts, LateLayers  # noqa: E402
from training.text_tower.minilm import MiniLM, load_tuned  # noqa: E402

WORDS = ["a", "black", "white", "dog", "cat", "runs", "sits", "on", "under", "the", "grass"]
TEXTS = [" ".join(WORDS[i % 7 : i % 7 + 1 + i // 4]) for i in range(40)]


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["?", *WORDS])}, "?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str().encode()


def tower() -> MiniLM:
    torch.manual_seed(0)
    made = MiniLM()
    made.eval().requires_grad_(requires_grad=False)
    return made


def test_late_layers_equal_the_whole_tower_at_any_length(tokenizer: bytes) -> None:
    whole = tower()
    late = LateLayers(whole, tokenizer, TEXTS)
    numbers = torch.cat([torch.randperm(len(TEXTS)), torch.tensor([3, 39])])
    read = load_tokenizer(tokenizer).encode_batch([TEXTS[number] for number in numbers])
    ids, mask = (
        torch.tensor([getattr(each, part) for each in read]) for part in ("ids", "attention_mask")
    )
    with torch.no_grad():
        torch.testing.assert_close(late(numbers), whole(ids, mask), atol=0.01, rtol=0)


def test_a_text_keeps_its_id() -> None:
    numbered = DeferredTexts(towers=None)  # type: ignore[arg-type]
    assert numbered.sentences(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert numbered.sentences(["c", "b"]).tolist() == [2, 1]
    assert numbered.texts == ("a", "b", "c")


def late_heads(tower: MiniLM, tokenizer: bytes) -> Heads:
    heads = small_heads()
    heads.text = torch.nn.Sequential(LateLayers(tower, tokenizer, TEXTS), heads.text)
    return heads


def alike(one: MiniLM, other: MiniLM) -> list[bool]:
    """Return whether each layer is unchanged."""
    return [
        all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
        for old, new in zip(one.layers, other.layers, strict=True)
    ]


def test_late_layers_are_trained_with_the_heads(tokenizer: bytes, tmp_path: Path) -> None:
    corpus, words, path = numbered_corpus(), numbered_words(), tmp_path / "run.pt"
    before, tuned = tower(), tower()
    train(late_heads(tuned, tokenizer), corpus, words, RECIPE, checkpoint=path)
    kept = len(before.layers) - LAYERS
    assert alike(before, tuned) == [True] * kept + [False] * LAYERS
    assert torch.equal(before.words.weight, tuned.words.weight)

    again = tower()  # the trained layers are in the checkpoint
    train(late_heads(again, tokenizer), corpus, words, RECIPE, checkpoint=path)
    assert all(alike(again, tuned))

    torch.save(tuned.state_dict(), tmp_path / "language.pt")
    assert all(alike(load_tuned(tmp_path / "language.pt"), tuned))


def test_late_layers_have_their_own_rate_and_no_weight_decay(tokenizer: bytes) -> None:
    still = tower()
    recipe = dataclasses.replace(RECIPE, epochs=1, language_share=0)
    train(late_heads(still, tokenizer), numbered_corpus(), numbered_words(), recipe)
    assert all(alike(still, tower()))


def numbered_corpus() -> Corpus:
    """The small corpus, with text ids instead of sentence vectors."""
    seen = small_seen()
    told = CaptionedSet(seen, range(6), torch.arange(30).view(6, 5), repeat=2)
    return Corpus([told], [NamedSet(seen, [6, 7], torch.tensor([30, 31]), [0, 1])])


def numbered_words() -> ClassTexts:
    words = some_words()
    draw = np.random.default_rng(0)
    classes, families = (
        torch.from_numpy(draw.integers(len(TEXTS), size=each.shape[:2]))
        for each in (words.classes, words.families)
    )
    return ClassTexts(classes, families, words.members)
