"""Texts in other languages, and English ones, which must not be taken for such."""

import json
from pathlib import Path

import pytest

from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.text_loss import text_warnings

POCKET = PocketEncoder()

OTHERS = {
    "German": "ein Hund am Strand|Frau mit Regenschirm|Fahrrad|Sonnenuntergang am Meer|Hochzeit",
    "French": "un chien sur la plage|voiture rouge|deux enfants jouent dans le jardin|cheval",
    "Spanish": "un perro en la playa|mujer con paraguas|niños|una taza de café|árbol verde",
    "Polish": "pies na plaży|czerwony samochód|kobieta z parasolem|koń|motyl",
    "Turkish": "plajda bir köpek|kırmızı araba|bisiklet süren adam|düğün|yeşil ağaç",
    "Russian": "собака на пляже|кошка",
    "Chinese": "海滩上的狗|猫|犬",
}


def is_foreign(text: str) -> bool:
    [loss] = POCKET.text_losses([text])
    return loss is not None and loss.foreign


@pytest.mark.parametrize("text", [text for each in OTHERS.values() for text in each.split("|")])
def test_a_text_in_another_language_is_recognized(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a dog on the beach", "okapi", "a café in Paris", "naïve art", "déjà vu"),
        *("selfie", "iphone", "an IKEA shelf", "tierra del fuego", "crème brûlée", "🐶", "", "42"),
        *("Andy plays tennis", "a skateboarder", "two snowboarders", "die casting", "x-ray"),
    ],
)
def test_english_and_what_has_no_language_is_not(text: str) -> None:
    assert not is_foreign(text)


def test_captions_raise_no_false_alarm(shared_data: Path) -> None:
    lines = (shared_data / "coco" / "captions.jsonl").read_text("utf-8").splitlines()
    captions = [caption for line in lines for caption in json.loads(line)["captions"]]
    assert len(captions) > 100
    assert sum(map(is_foreign, captions)) <= 0.005 * len(captions)


def test_the_warning_points_at_multilingual_models() -> None:
    [warning] = text_warnings(POCKET, ["ein Hund am Strand", "a dog"])
    assert 'knows English only, and not "ein Hund am Strand": check the spelling' in warning
    assert '"clipsearch models"' in warning
    [warning] = text_warnings(POCKET, ["кошка"])
    assert 'does not know "кошка"' in warning
    assert '"clipsearch models"' in warning


def test_emoji_need_no_other_language() -> None:
    [warning] = text_warnings(POCKET, ["🐶"])
    assert "clipsearch models" not in warning
