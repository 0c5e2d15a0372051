"""Unknown words and cut texts, for each kind of tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.models.text_loss import find_loss, text_warnings
from clipsearch.models.tokenizers import open_tokenizer
from tests.helpers import checkpoints

POCKET = PocketEncoder()


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a dog on the beach", ()),
        ("naïve café in Århus, Straße 5", ()),
        ("it's “quoted” – 50 % of €5…", ()),
        ("赤い傘", ("赤い傘",)),
        ("a dog 🐶 runs", ("🐶",)),
        ("dog😀", ("dog😀",)),
        ("собака dog", ("собака",)),
        ("\u200b", ("\u200b",)),
        ("x" * 200, ("x" * 200,)),
    ],
)
def test_pocket_knows_latin_words_only(text: str, unknown: tuple[str, ...]) -> None:
    [loss] = POCKET.text_losses([text])
    assert (loss.unknown if loss else ()) == unknown


@given(st.integers(1, 400))
def test_what_fits_into_the_context_is_not_reported(words: int) -> None:
    [loss] = POCKET.text_losses(["dog " * words])
    assert (loss.cut.split() if loss else []) == ["dog"] * max(0, words - 254)


def test_pocket_gives_equal_vectors_to_what_it_does_not_know_and_to_what_is_cut() -> None:
    one, other = POCKET.encode_texts(["🐶", "🍎"])
    assert (one == other).all()
    text = "dog " * 254
    one, other = POCKET.encode_texts([text, text + "cat"])
    assert abs(one - other).max() < 1e-5


def test_clips_byte_pairs_know_every_word_and_cut_long_texts(tmp_path: Path) -> None:
    from open_clip import SimpleTokenizer

    from clipsearch.models.open_clip_text_tower import save_tokenizer, text_losses

    theirs = SimpleTokenizer()
    ours = open_tokenizer(tmp_path, save_tokenizer(theirs, tmp_path))
    for text in ("赤い傘 🐶 dog", "dog " * 75):
        assert ours.loss(text) is None
        assert text_losses(theirs, [text]) == [None]
    text = "dog " * 75 + "and a red boat"
    loss = ours.loss(text)
    assert loss is not None
    assert (loss.cut, loss.limit, loss.unknown) == ("and a red boat", 75, ())
    assert text_losses(theirs, [text]) == [loss]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_align_cuts_at_64_tokens(runtime: str, tmp_path: Path) -> None:
    folder = checkpoints.save_align(tmp_path / "model")
    encoder = load(f"align:{folder}", Runtime(device="cpu", runtime=runtime, precision="fp32"))
    assert text_warnings(encoder, ["a dog"]) == []
    [warning] = text_warnings(encoder, ["dog " * 62 + "boat"])
    assert "reads 62 tokens" in warning
    assert 'from "boat" on' in warning
    [unknown, *_] = text_warnings(encoder, ["\N{DOG FACE}"])
    assert "does not know" in unknown


def test_many_words_are_named_in_part() -> None:
    class Encoder:
        identity = POCKET.identity
        text_losses = POCKET.text_losses

    [warning] = text_warnings(Encoder(), ["狗 猫 鳥 馬 魚", "狗"])
    assert '"狗", "猫", "鳥" and 2 more words' in warning
    [warning] = text_warnings(Encoder(), ["dog " * 300, "cat " * 300])
    assert "the end of 2 texts" in warning


@given(st.text(min_size=1, max_size=40), st.integers(1, 20))
def test_the_cut_begins_where_the_tokens_end(text: str, limit: int) -> None:
    loss = find_loss(text, lambda part: list(map(ord, part)), limit=limit, unknown=None)
    assert (loss.cut if loss else "") == text[limit:].strip()
