"""The limits of a benchmark take effect, and its result names the machine."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import machine
from clipsearch import cpu

ROOT = Path(__file__).resolve().parents[2]

PRIMITIVES = """
import sys
import numpy as np
from benchmarks.machine import limit_isa
if sys.argv[1:]:
    limit_isa(sys.argv[1])
import openvino
from openvino import opset13 as ops
from clipsearch.models.pocket.encoder import WEIGHTS

rng = np.random.default_rng(0)
def weights(*shape):
    return ops.constant(rng.standard_normal(shape).astype(np.float32))
rows = ops.parameter([-1, 256], np.float32)
planes = ops.parameter([-1, 16, 32, 32], np.float32)
features = ops.softmax(ops.gelu(ops.matmul(rows, weights(256, 256), False, True), "erf"), 1)
convolved = ops.convolution(planes, weights(32, 16, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
means = ops.reduce_mean(ops.relu(convolved), [2, 3], False)
core = openvino.Core()
models = [
    openvino.Model([features, means], [rows, planes]),  # in float32
    core.read_model(WEIGHTS / "image.xml"),  # in int8
]
for model in models:
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    compiled([
        np.zeros([4 if size.is_dynamic else size.get_length() for size in port.partial_shape],
                 port.element_type.to_dtype())
        for port in compiled.inputs
    ])
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        print(info["layerType"].value, info["primitiveType"].value)
"""
"""Prints what each layer of two small models is executed by; the argument limits the runtime."""


def primitives(*isa: str) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if name not in cpu.LIMITS}
    command = [sys.executable, "-c", PRIMITIVES, *isa]
    process = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.splitlines())


def parse(*arguments: str) -> argparse.Namespace:
    """Parse these arguments as a benchmark does."""
    parser = argparse.ArgumentParser()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["benchmark", *arguments])
        return machine.parse_options(parser)


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AVX-512 processor without AMX, whose limits end with the test; OpenVINO is new."""
    supported = frozenset({"avx2", "avx512", "avx512_vnni"})
    monkeypatch.setattr(cpu, "_processor", lambda: ("A Processor", supported))
    monkeypatch.setattr(cpu, "available", lambda: 2)
    monkeypatch.setattr(machine, "version", lambda name: "2027.1.0")
    monkeypatch.setattr(machine, "_READ_AT_IMPORT", ())
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for variable in cpu.LIMITS:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.skipif("avx2" not in cpu.instruction_sets(), reason="this processor has no AVX2")
def test_no_layer_uses_more_than_the_limit() -> None:
    limited = primitives("avx2")
    assert any("avx2" in name for name in limited)
    assert not [name for name in limited if "avx512" in name or "amx" in name]
    if "avx512" in cpu.instruction_sets():
        assert any("avx512" in name for name in primitives())


def test_the_limits_hold_for_this_process_and_its_children(processor: None) -> None:
    assert parse("--isa", "avx2").isa == "avx2"
    assert cpu.instruction_sets() == {"avx2"}
    assert {os.environ[variable] for variable in cpu.LIMITS} == {"AVX2"}
    assert os.environ["ATEN_CPU_CAPABILITY"] == "avx2"


def test_the_machine_is_printed(processor: None, capsys: pytest.CaptureFixture[str]) -> None:
    parse("--isa", "avx512_vnni")
    assert capsys.readouterr().out == "A Processor, AVX-512 with VNNI, 2 cores\n"
    parse("--isa", "avx512")
    assert capsys.readouterr().out == "A Processor limited to AVX-512, 2 cores\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--isa", "amx"), "this processor lacks it"),
        (("--cores", "3"), "--cores 3: this machine has 2"),
        (("--cores", "-1"), "--cores -1: this machine has 2"),
    ],
)
def test_a_machine_cannot_stand_for_a_better_one(
    processor: None, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert message in capsys.readouterr().err


def test_an_older_openvino_cannot_be_limited(
    processor: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "version", lambda name: "2026.4.0")
    with pytest.raises(SystemExit):
        parse("--isa", "avx2")
    assert "needs OpenVINO 2026.4.1 or newer, this is 2026.4.0" in capsys.readouterr().err


def test_a_limit_that_comes_too_late_is_an_error(
    processor: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_READ_AT_IMPORT", ("json",))
    with pytest.raises(RuntimeError, match="json is already imported"):
        machine.limit_isa("avx2")


def test_the_result_names_the_machine_and_the_precisions(
    processor: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    options = parse("--isa", "avx2")
    machine.write_result("decode", options, {"pocket": "int8"}, table=[1, 2])
    result = json.loads(Path("benchmark-decode-avx2.json").read_text())
    assert result["machine"] == "A Processor limited to AVX2, 2 cores"
    assert result["instruction sets"] == ["avx2"]
    assert result["precisions"] == {"pocket": "int8"}
    assert result["table"] == [1, 2]
    machine.write_result("decode", parse(), {})
    assert Path("benchmark-decode.json").is_file()
    machine.write_result("decode", parse("--result", "mine.json"), {})
    assert Path("mine.json").is_file()
