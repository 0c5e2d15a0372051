"""New heads on the towers of the released model: same features, same reading."""
# mypy: allow-subclassing-any

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from clipsearch.models.openvino_runtime import Graph  # noqa: E402
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder  # noqa: E402
from clipsearch.models.pocket.query_words import query_arrays  # noqa: E402
from training.heads.model import PLACES, Places  # noqa: E402
from training.image_tower.efficientnet import HEAD  # noqa: E402
from training.packing import export  # noqa: E402
from training.packing.pack import READING_DIM, QueryOutput  # noqa: E402
from training.packing.released import ReleasedTowers  # noqa: E402
from training.text_tower.minilm import MiniLM  # noqa: E402

TEXTS = ["a red car", "the word coffee", 'a sign that says "open"', "two dogs on the grass"]


@pytest.fixture(scope="module")
def towers() -> ReleasedTowers:
    return ReleasedTowers(WEIGHTS)


def run(graph: object, folder: Path, *inputs: np.ndarray) -> np.ndarray:
    export.save_graph(graph, folder / "graph.xml", half=False)
    return Graph(folder / "graph.xml")(*inputs)


def some_images() -> np.ndarray:
    draw = np.random.default_rng(0)
    small = [Image.fromarray(draw.integers(0, 256, (7, 7, 3), dtype=np.uint8)) for _ in range(4)]
    return np.stack([np.asarray(image.resize((224, 224))) for image in small])


def token_arrays(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    found = PocketEncoder()._tokenizer.encode_batch(texts)
    return (
        np.array([each.ids for each in found], np.int64),
        np.array([each.attention_mask for each in found], np.int64),
    )


def test_new_places_see_the_released_features(towers: ReleasedTowers, tmp_path: Path) -> None:
    pixels = some_images()
    features = torch.from_numpy(run(towers.image_features(), tmp_path, pixels))
    places = features[:, :-HEAD].unflatten(1, (PLACES, -1))
    torch.manual_seed(0)
    mean, spread = places.mean((0, 1)), places.std((0, 1)) + 0.1
    parts = [Places(mean, spread, width).folded() for width in (8, 16, 4)]

    trunk = torch.from_numpy(run(towers.image(parts), tmp_path, pixels))
    with torch.no_grad():
        expected = torch.cat([part(places) for part in parts], 1)
    torch.testing.assert_close(trunk[:, : expected.shape[1]], expected, atol=0.01, rtol=0.02)
    rest = trunk[:, expected.shape[1] :]
    torch.testing.assert_close(rest[:, :HEAD], features[:, -HEAD:], atol=1e-3, rtol=1e-3)
    released = Graph(WEIGHTS / "image.xml")(pixels)[:, -READING_DIM:]
    np.testing.assert_allclose(rest[:, HEAD:], released, atol=1e-3)


class Doubled(nn.Module):
    """Stands for a projection: any map of sentence vectors."""

    def forward(self, sentences: Tensor) -> Tensor:
        return torch.nn.functional.normalize(torch.cat([sentences, sentences**2], 1), dim=1)


@pytest.mark.parametrize("tuned", [False, True])
def test_a_new_projection_follows_the_text_tower(
    towers: ReleasedTowers, tmp_path: Path, *, tuned: bool
) -> None:
    torch.manual_seed(0)
    tower = MiniLM().eval() if tuned else None
    towers = ReleasedTowers(WEIGHTS, tower)
    ids, mask = token_arrays(TEXTS)
    sentences = run(towers.sentences(), tmp_path, ids, mask)
    if tower is not None:
        with torch.no_grad():
            plain = tower(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        np.testing.assert_allclose(sentences, plain, atol=1e-4)

    vectors = run(towers.text(Doubled()), tmp_path, ids, mask, *query_arrays(TEXTS))
    read = Graph(WEIGHTS / "text.xml")(ids, mask, *query_arrays(TEXTS))[:, -READING_DIM:]
    np.testing.assert_allclose(vectors[0, -READING_DIM:], 0, atol=1e-6)
    for mine, released in zip(vectors[1:3, -READING_DIM:], read[1:3], strict=True):
        assert np.corrcoef(mine, released)[0, 1] > 0.9999
    whole = QueryOutput(Doubled())(torch.from_numpy(sentences[:1]), torch.zeros(1, READING_DIM))
    np.testing.assert_allclose(vectors[:1], whole, atol=1e-5)


def test_graphs_of_another_origin_are_refused(tmp_path: Path) -> None:
    export.save_graph(export.row_graph(nn.Linear(4, 2), 4), tmp_path / "image.xml")
    with pytest.raises(ValueError, match="not packed by this code"):
        ReleasedTowers(tmp_path).image_features()
