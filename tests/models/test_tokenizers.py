"""Tokenizers without their libraries give the same token ids as the libraries."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.models.tokenizers import Cleaning, Row, Tokenizer, clean, open_tokenizer
from tests.helpers import checkpoints

HARD = (
    "",
    " ",
    "!",
    "!!!!!!!!",
    "I'm sure they'll say it's Bob's; we'd've 've 'S 'LL",
    "\u017ftra\u00dfe it'\u017f \u212aelvin \u0130stanbul \u01c5",
    "a <start_of_text> b <END_OF_TEXT> c<end_of_text>d <\u017ftart_of_text>",
    "caf\u00c3\u00a9 \u00e2\u20ac\u0153quoted\u00e2\u20ac\u009d &amp;lt;b&amp;gt; &eacute; &nbsp;x",
    "\x00\x01\x1b[31mred\x1b[0m\x7f\x85\u2028line\u3000wide\u200bzero\ufeff",
    "１２３ ²³ ½ Ⅷ ௧௨ 砂浜を走る犬 🐕‍🦺 👨‍👩‍👧‍👦 नमस्ते ภาษาไทย",
    "e\u0301 \u00e9 ﬁ ﬀ ｆｕｌｌ",
    "\ud83d lone surrogate",
    "x" * 400,
    "word " * 200,
    "\t tabs\nand\r\nlines \v\f\x1c\x1d\x1e\x1f ends ",
    "under_score -- dash... (brackets) [x] {y} $5.00 #tag @name 100%",
)


@cache
def theirs(cleaning: Cleaning, context: int) -> Any:
    from open_clip import SimpleTokenizer

    return SimpleTokenizer(clean=cleaning, context_length=context)


@cache
def ours(cleaning: Cleaning, context: int, folder: Path) -> Tokenizer:
    from clipsearch.models.open_clip_text_tower import save_tokenizer

    return open_tokenizer(folder, save_tokenizer(theirs(cleaning, context), folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


def filled(rows: Sequence[Row], context: int) -> list[Row]:
    return [[*row, *[0] * (context - len(row))] for row in rows]


@pytest.mark.parametrize("cleaning", ["lower", "whitespace", "canonicalize"])
@pytest.mark.parametrize("context", [77, 16])
def test_difficult_texts_get_clips_own_token_ids(
    cleaning: Cleaning, context: int, folder: Path
) -> None:
    for text in HARD:
        expected = theirs(cleaning, context)([text]).tolist()
        assert filled(ours(cleaning, context, folder)([text]), context) == expected, repr(text)


TEXTS = st.text(max_size=60) | st.text(
    alphabet=st.sampled_from(
        "aAbst '\"&;<>lI\u00c3\u00a9\u0301\u017f\u0130\u212a12\u00bd_-\u00a0\u200b"
    ),
    max_size=40,
)


@settings(max_examples=400)
@given(text=TEXTS)
def test_any_text_gets_clips_own_token_ids(text: str, folder: Path) -> None:
    expected = theirs("lower", 77)([text]).tolist()
    assert filled(ours("lower", 77, folder)([text]), 77) == expected


@settings(max_examples=400)
@given(text=st.text(alphabet=st.characters(max_codepoint=0x7F), max_size=60))
@pytest.mark.parametrize("cleaning", ["lower", "whitespace", "canonicalize"])
def test_plain_text_needs_no_repair(cleaning: Cleaning, text: str) -> None:
    from open_clip.tokenizer import get_clean_fn

    assert clean(text, cleaning) == get_clean_fn(cleaning)(text)


@pytest.fixture(scope="module")
def sentence_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sentence_pieces")
    checkpoints.save_tokenizer(folder)
    return folder


@settings(max_examples=200)
@given(text=st.sampled_from(HARD + checkpoints.PROMPTS) | TEXTS)
@pytest.mark.parametrize("strip", [False, True])
def test_a_saved_tokenizer_gives_its_librarys_token_ids(
    text: str, strip: bool, sentence_pieces: Path
) -> None:
    library, saved = _saved(sentence_pieces, strip)
    assert [row + [0] * (64 - len(row)) for row in saved([text])] == library([text]).tolist()


@cache
def _saved(folder: Path, strip: bool) -> tuple[Any, Tokenizer]:
    from open_clip.tokenizer import HFTokenizer

    from clipsearch.models.open_clip_text_tower import save_tokenizer

    library = HFTokenizer(
        str(folder), context_length=64, clean="canonicalize", strip_sep_token=strip
    )
    library.tokenizer.sep_token = "</s>"
    target = folder / f"saved-{strip}"
    target.mkdir()
    return library, open_tokenizer(target, save_tokenizer(library, target))
