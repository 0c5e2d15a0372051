"""The speed benchmarks: their help, and what they say if a package is missing."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEED = ("decode", "distill", "ingest", "memory", "pocket", "query", "runtime")
COMMANDS = (*(f"benchmarks.speed.{name}" for name in SPEED), "benchmarks.textness.__main__")

HELP_WITHOUT_EXTRAS = """
import importlib, sys
sys.modules |= dict.fromkeys(["onnx", "open_clip", "openvino", "skimage", "torch", "transformers"])
for name in sys.argv[1:]:
    benchmark = importlib.import_module(name)
    sys.argv = [name, "--help"]
    try:
        benchmark.main()
    except SystemExit as exit:
        assert not exit.code, name
"""


def test_every_command_has_help_without_the_extras() -> None:
    command = [sys.executable, "-c", HELP_WITHOUT_EXTRAS, *COMMANDS]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert (
        process.stdout.count("usage:") == process.stdout.count("  --cores CORES ") == len(COMMANDS)
    )


def test_a_missing_onnx_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from benchmarks.speed import peers

    monkeypatch.setattr(peers, "CACHE", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install 'clipsearch\[bench\]'"):
        peers.install_rclip()
    assert not any(tmp_path.iterdir())


def test_a_limited_rclip_runs_without_avx512(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from benchmarks.speed import peers

    python = tmp_path / "env-rclip-avx2" / "bin" / "python"
    libraries = tmp_path / "env-rclip-avx2" / "lib/python3.13/site-packages/onnxruntime/capi"
    library = libraries / "onnxruntime_pybind11_state.so"
    libraries.mkdir(parents=True)
    library.write_bytes(b"before" + peers.ASK_REGISTERS + b"after")
    (tmp_path / "rclip-data" / "ViT-B-32-256-datacomp_s34b_b86k" / "tokenizer").mkdir(parents=True)
    monkeypatch.setattr(peers, "CACHE", tmp_path)
    monkeypatch.setattr(peers, "_install", lambda name, *_: tmp_path / f"env-{name}/bin/python")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2_VNNI")
    for _ in range(2):
        assert peers.install_rclip().python == python
        assert library.read_bytes() == b"before" + peers.UP_TO_AVX2 + b"after"
    library.write_bytes(b"another build")
    with pytest.raises(SystemExit, match="cannot be limited to AVX2"):
        peers.install_rclip()


def test_padded_texts_have_the_full_context() -> None:
    from benchmarks.speed.runtime import CONTEXT, encode_padded
    from clipsearch.models import openvino_encoder

    encoder = Mock()
    encoder.encode_texts = lambda texts: buckets.extend(
        vars(openvino_encoder)["length_buckets"]([3, 5])
    )
    buckets: list[tuple[list[int], int]] = []
    encode_padded(encoder, ["a dog", "two dogs on a beach"])
    assert buckets == [([0, 1], CONTEXT)]
