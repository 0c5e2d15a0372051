"""Agreement of fake models whose differences are known."""

from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.evaluation import evaluate_agreement, read_queries
from clipsearch.images.decode import decode
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from tests.evaluation.conftest import RoundedEncoder, WrongEncoder
from tests.helpers.fakes import ColorEncoder


def measure_agreement(
    images: Path, model: Encoder, against: Encoder, queries: list[str]
) -> dict[str, float]:
    evaluation = evaluate_agreement([images], model=model, against=against, queries=queries)
    return {measure.name: measure.value for measure in evaluation.measures}


@pytest.mark.parametrize("queries", [[], ["red", "green", "blue", "red blue"]])
def test_agreement_falls_with_the_difference(
    shades: Path, encoder: ColorEncoder, queries: list[str]
) -> None:
    same = measure_agreement(shades, encoder, ColorEncoder(), queries)
    near = measure_agreement(shades, RoundedEncoder(), encoder, queries)
    far = measure_agreement(shades, WrongEncoder(), encoder, queries)
    assert same["mAP@10-20"] == 1
    assert same["rank correlation"] == pytest.approx(1)
    assert same["cosine"] == pytest.approx(1)
    assert 0.9 < near["mAP@10-20"] < 1
    assert near["lowest cosine"] < 1
    assert far["mAP@10-20"] < near["mAP@10-20"]
    assert far["rank correlation"] < 0.8
    assert "cosine" not in far  # vectors of different models are not compared


def test_map_at_n_against_a_naive_implementation(shades: Path) -> None:
    paths = sorted(shades.iterdir())
    encoder, reference = ColorEncoder(), WrongEncoder()
    values = measure_agreement(shades, encoder, reference, ["red"])

    def ranking(encoder: ColorEncoder) -> list[int]:
        images = embed_images(encoder, [decode(path).image for path in paths])
        scores = images @ embed_texts(encoder, ["red"])[0]
        return sorted(range(len(paths)), key=lambda n: -float(scores[n]))

    results, truth = ranking(encoder)[:10], set(ranking(reference)[:10])
    hits, total = 0, 0.0
    for position, image in enumerate(results, 1):
        if image in truth:
            hits += 1
            total += hits / position
    assert values["mAP@10"] == pytest.approx(total / 10)


def test_agreement_needs_enough_images(image_folder: Path, encoder: ColorEncoder) -> None:
    with pytest.raises(UsageError, match="more than 20 images, not 3"):
        evaluate_agreement([image_folder], model=encoder, against=encoder)


def test_queries_are_read_once_each(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("a dog\n\n犬\na dog\n", encoding="utf-8")
    assert read_queries(path) == ["a dog", "犬"]
    path.write_text("\n")
    with pytest.raises(UsageError, match="holds no queries"):
        read_queries(path)
