"""Models that run row by row, and their int8 versions."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from clipsearch.models.int8 import calibrate, compress
from clipsearch.models.row_loop import convert_body, loop_rows

pytestmark = pytest.mark.usefixtures("one_thread")

OPSET: Any = openvino.opset13


@pytest.fixture
def body() -> Any:
    """A model of one row: a product with a matrix, a nonlinearity and another product."""
    random = np.random.default_rng(0)
    pixels = OPSET.parameter([1, 3, 8, 16], np.float32)
    hidden = OPSET.reshape(pixels, [1, 384], special_zero=False)
    for size in ((384, 256), (256, 256)):
        weights = random.normal(size=size).astype(np.float32) / 16
        hidden = OPSET.relu(OPSET.matmul(hidden, weights, transpose_a=False, transpose_b=False))
    return openvino.Model([hidden], [pixels], "body")


def _run(model: Any, rows: Any) -> Any:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([rows])[0]


def _kinds(model: Any) -> list[str]:
    return [op.get_type_name() for op in model.get_ops()]


@pytest.mark.parametrize("kind", ["weights", "calibrated"])
def test_the_body_of_a_loop_is_computed_in_int8(kind: str, body: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(5, 3, 8, 16)).astype(np.float32)
    expected = np.concatenate([_run(body, row[None]) for row in rows])
    source, target = tmp_path / "loop.xml", tmp_path / "int8.xml"
    openvino.save_model(loop_rows(body, [-1, 3, 8, 16]), source, compress_to_fp16=False)
    assert np.allclose(_run(openvino.Core().read_model(source), rows), expected, atol=1e-5)

    if kind == "calibrated":
        pytest.importorskip("nncf", reason="needs nncf: pip install -e '.[int8]'")
        calibrate(source, target, list(rows))
    else:
        compress(source, target)
    sizes = [path.with_suffix(".bin").stat().st_size for path in (source, target)]
    assert sizes[1] < 0.3 * sizes[0]
    model = openvino.Core().read_model(target)
    actual = _run(model, rows)
    cosines = np.sum(actual * expected, 1) / np.linalg.norm(actual, axis=1)
    assert (cosines / np.linalg.norm(expected, axis=1)).min() > 0.995
    [loop] = [op for op in model.get_ops() if op.get_type_name() == "TensorIterator"]
    assert ("FakeQuantize" in _kinds(loop.get_body())) == (kind == "calibrated")


def test_a_model_without_a_loop_is_its_own_body(body: Any) -> None:
    assert convert_body(body, _kinds) == _kinds(body)
