"""Files of models hold data: loading one runs no code, and reads nothing outside its folder."""

import pickle
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.cache import ArrayCache
from clipsearch.classify import LinearProbe
from clipsearch.distill.checkpoint import load_checkpoint
from clipsearch.distill.pixel_file import KEY_FILE, PIXELS_FILE, load_pixels
from clipsearch.errors import ClipsearchError, ModelError
from clipsearch.models.library_output import ONLY_WEIGHTS, quiet
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.onnx_exports import save_onnx

torch = pytest.importorskip("torch")

CPU = Runtime(device="cpu", runtime="torch", precision="fp32")
CLIP = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


class Bomb:
    """An object whose unpickling creates a file."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that exists once code has run; the bomb is real."""
    marker = tmp_path / "code-ran"
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()
    marker.unlink()
    return marker


def torch_save(file: Path, value: Any, *, zipped: bool = True) -> None:
    torch.save(value, file, _use_new_zipfile_serialization=zipped)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "model.pth"])
def test_a_checkpoint_of_open_clip(tmp_path: Path, marker: Path, name: str, zipped: bool) -> None:
    folder = checkpoints.save_open_clip(tmp_path / "model", checkpoints.vit_b_32(), CLIP)
    (folder / "open_clip_model.safetensors").unlink()
    torch_save(folder / name, {"state_dict": Bomb(marker)}, zipped=zipped)
    with pytest.raises(ModelError):
        load(f"local-dir:{folder}", CPU)
    assert not marker.exists()


def test_a_checkpoint_of_align(tmp_path: Path, marker: Path) -> None:
    folder = checkpoints.save_align(tmp_path / "model")
    for file in folder.glob("*.safetensors"):
        file.unlink()
    torch_save(folder / "pytorch_model.bin", {"weights": Bomb(marker)})
    with pytest.raises(ModelError):
        load(f"align:{folder}", CPU)
    assert not marker.exists()


def test_a_checkpoint_of_distillation(tmp_path: Path, marker: Path) -> None:
    torch_save(tmp_path / "image.pt", {"tower": Bomb(marker), "history": []})
    with pytest.raises(ModelError, match="is damaged"):
        load_checkpoint(tmp_path / "image.pt", torch.nn.Linear(1, 1))
    assert not marker.exists()


def test_arrays(tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = np.array([Bomb(marker)], dtype=object)
    np.savez(tmp_path / "probe.npz", weights=bomb, bias=bomb, facts=bomb)
    with pytest.raises(ClipsearchError):
        LinearProbe.load(tmp_path / "probe.npz")
    np.save(tmp_path / PIXELS_FILE, bomb, allow_pickle=True)
    (tmp_path / KEY_FILE).write_text("key")
    assert load_pixels(tmp_path, "key", (1,)) is None
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "test").mkdir(parents=True)
    np.savez(tmp_path / "cache" / "test" / "key.npz", a=bomb)
    assert ArrayCache("test").load("key") is None
    assert not marker.exists()


def test_torch_loads_only_weights_while_a_model_loads(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without its parameter, as open_clip calls it after a TypeError."""
    monkeypatch.delenv(ONLY_WEIGHTS, raising=False)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0")
    torch_save(tmp_path / "x.bin", Bomb(marker))
    with quiet(), pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "x.bin", weights_only=False)
    assert not marker.exists()
    torch.load(tmp_path / "x.bin", weights_only=False)  # the caller's own
    assert marker.exists()


@pytest.mark.parametrize(
    ("place", "is_read"),
    [("../../stolen.b", False), ("/tmp/stolen.bin", False), ("other-weights", True)],
)
def test_weights_of_an_export_stay_in_its_folder(tmp_path: Path, place: str, is_read: bool) -> None:
    checkpoint = checkpoints.save_open_clip(tmp_path / "model", checkpoints.vit_b_32(), CLIP)
    folder = save_onnx(tmp_path / "a" / "b" / "export", checkpoint, external=True)
    model, weights = folder / "visual" / "model.onnx", folder / "visual" / "model.onnx.data"
    target = Path(place) if place.startswith("/") else folder / "visual" / place
    place = place.ljust(len(weights.name), "x")
    target = target.with_name(Path(place).name)
    try:
        shutil.copy(weights, target)
        weights.unlink()
        model.write_bytes(model.read_bytes().replace(weights.name.encode(), place.encode()))
        with nullcontext() if is_read else pytest.raises(ModelError):
            load(f"onnx:{folder}", Runtime(device="cpu", precision="fp32"))
    finally:
        target.unlink(missing_ok=True)
