"""The speed benchmarks: their help, and what they say if a package is missing."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEED = (
    *("decode", "distill", "gpu", "ingest", "memory", "pocket", "query", "runtime"),
    *("serve", "serve_load"),
)
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


def test_the_gpu_benchmark_runs_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("open_clip")
    from benchmarks.speed import gpu
    from tests.helpers.checkpoints import CLIP_PREPROCESSING, save_open_clip, vit_b_32

    folder = save_open_clip(tmp_path / "small", vit_b_32(), CLIP_PREPROCESSING)
    monkeypatch.setattr(gpu, "make_checkpoint", lambda name: folder)
    monkeypatch.setattr(gpu, "CACHE", tmp_path)
    result = tmp_path / "result.json"
    command = ["gpu", "--device", "cpu", "--quick", "--models", "small", "--result", str(result)]
    monkeypatch.setattr(sys, "argv", command)
    gpu.main()
    saved = json.loads(result.read_text(encoding="utf-8"))
    counted = Counter(row["measured"] for row in saved["table"])
    assert counted == {"decode": 6, "encode, batch 8": 3, "ingest": 6}
    assert all(row["per second"] > 0 for row in saved["table"])
    assert saved["precisions"]["small, clipsearch"] == "float32"
    assert "device: cpu" in capsys.readouterr().out
