"""Quantization of an image graph to int8."""
# mypy: allow-subclassing-any

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nncf", reason="needs nncf: pip install -e '.[training]'")

from torch import Tensor, nn  # noqa: E402

from clipsearch.models.openvino_runtime import Graph  # noqa: E402
from training.packing.export import compute_in_int8, image_graph, save_graph  # noqa: E402

SIDE = 32


class Small(nn.Module):
    """Two parts in sequence, one of which must not be quantized; rows of 8 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.tower, self.reading = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        seen = torch.relu(self.tower(pixels.permute(0, 3, 1, 2).float() / 255))
        read: Tensor = self.reading(seen).mean((2, 3))
        return read


def test_int8_stays_close_and_skips_ignored_parts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = image_graph(Small(), side=SIDE)
    pixels = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE, 3), dtype=np.uint8)
    save_graph(graph, tmp_path / "before.xml", half=False)
    small = compute_in_int8(graph, pixels, but=["reading"])
    save_graph(small, tmp_path / "after.xml", half=False)
    before, after = (Graph(tmp_path / name)(pixels) for name in ("before.xml", "after.xml"))
    assert 0 < np.abs(before - after).max() < 0.1 * np.abs(before).max()

    weights = [
        node.data
        for node in small.get_ops()
        if node.get_type_name() == "Constant" and node.data.ndim == 4 and node.data.size > 100
    ]
    kinds = {array.shape[0]: array.dtype for array in weights}
    assert kinds == {16: np.dtype(np.int8), 8: np.dtype(np.float32)}
    seven_bits = next(array for array in weights if array.dtype == np.int8)
    assert np.abs(seven_bits.astype(int)).max() <= 64
