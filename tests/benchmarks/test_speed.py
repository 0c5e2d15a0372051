"""The speed benchmarks: their help, and what they say if a package is missing."""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import pytest

COMMANDS = ("decode", "distill", "ingest", "memory", "pocket", "query", "runtime")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = import_module(f"benchmarks.speed.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as exit_info:
        benchmark.main()
    assert exit_info.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_a_missing_onnx_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from benchmarks.speed import peers

    monkeypatch.setattr(peers, "CACHE", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install 'clipsearch\[bench\]'"):
        peers.install_rclip()
    assert not any(tmp_path.iterdir())


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
