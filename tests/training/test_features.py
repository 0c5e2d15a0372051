"""Cached outputs of the towers: shared by several runs, and renewed if a file changes."""
# mypy: allow-subclassing-any

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from training.data import features  # noqa: E402
from training.data.features import Towers  # noqa: E402
from training.data.views import VIEWS  # noqa: E402
from training.image_tower.efficientnet import HEAD  # noqa: E402
from training.packing.export import image_graph, text_graph  # noqa: E402


class Mean(nn.Module):
    """uint8 (n, 224, 224, 3) → rows of one place with one channel, and HEAD pooled features."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.float().mean((1, 2, 3))[:, None].expand(-1, 49 + HEAD)


class Count(nn.Module):
    """Token ids and mask → rows that hold the number of tokens."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return (ids * mask).sum(1, keepdim=True).float().expand(-1, 384) + 0.0


def towers(cache: Path) -> Towers:
    made = Tokenizer(models.WordLevel({"[UNK]": 1, "dog": 5}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return Towers(image_graph(Mean()), text_graph(Count()), made.to_str().encode(), cache)


def draw(path: Path, color: int) -> Path:
    Image.new("RGB", (30, 20), (color, color, color)).save(path)
    return path


def test_a_changed_image_is_embedded_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    paths = [draw(tmp_path / f"{n}.png", 10 * n) for n in range(5)]
    first = towers(cache).images(paths)
    places, pooled = first.rows(range(5))
    assert places.shape == (5, 49, 1)
    torch.testing.assert_close(pooled[:, 0], torch.arange(5) * 10.0, atol=0.1, rtol=0)
    draw(paths[3], 200)  # the same name
    assert towers(cache).images(paths).rows([3])[1][0, 0] == pytest.approx(200, abs=0.2)
    assert first.rows([3])[1][0, 0] == pytest.approx(30, abs=0.1)  # still mapped


def test_runs_share_a_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    paths = [draw(tmp_path / f"{n}.png", n) for n in range(70)]  # more than one batch
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: towers(cache), range(4)))
        found = list(pool.map(lambda each: each.images(paths), made))
        texts = list(pool.map(lambda each: each.sentences(["dog", "a dog", "dog"]), made))
    for each in found:
        assert len(each) == 70
        assert [each.row(n, VIEWS - 1)[1][0].round() for n in (0, 69)] == [0, 69]
    assert all(each[:, 0].tolist() == [5, 6, 5] for each in texts)
    assert len(list(cache.glob("image-*.xml"))) == 1
    assert not [path for path in cache.iterdir() if ".part" in path.name or path.is_dir()]


def test_an_interrupted_run_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    paths = [draw(tmp_path / f"{n}.png", n) for n in range(70)]
    seen: list[Path] = []
    decode = features._pixels

    def counted(path: Path, seed: int) -> np.ndarray:
        seen.append(path)
        if len(seen) == 50:
            raise KeyboardInterrupt
        found: np.ndarray = decode(path, seed)
        return found

    monkeypatch.setattr(features, "_pixels", counted)
    with pytest.raises(KeyboardInterrupt):
        towers(cache).images(paths)
    del seen[:]
    _, pooled = towers(cache).images(paths).rows(range(70))
    assert seen[0] == paths[32]  # after the first batch
    torch.testing.assert_close(pooled[:, 0].round(), torch.arange(70.0))
