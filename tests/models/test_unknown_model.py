"""The prefix that the model in a folder needs."""

import json
from pathlib import Path

import pytest

from clipsearch.errors import ModelError, UnknownModelError
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from clipsearch.models.unknown_model import folder_kind

FILES = {
    "local-dir": ("open_clip_config.json", "{}"),
    "align": ("config.json", json.dumps({"model_type": "align"})),
    "onnx": ("vision/model.onnx", ""),
    "": ("config.json", json.dumps(["no", "object"])),
}


@pytest.fixture(params=FILES)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    kind: str = request.param
    name, text = FILES[kind]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    return kind


def test_a_bare_folder_names_its_prefix(kind: str, tmp_path: Path) -> None:
    assert folder_kind(tmp_path) == kind
    with pytest.raises(UnknownModelError, match=f"write {kind or 'local-dir'}:{tmp_path}"):
        registry.load(str(tmp_path))


@pytest.mark.parametrize("prefix", ["local-dir", "align"])
def test_the_wrong_prefix_names_the_right_one(kind: str, prefix: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        registry.load(f"{prefix}:{tmp_path}", Runtime(device="cpu", runtime="torch"))
    has_hint = f"write {kind}:{tmp_path}" in str(raised.value)
    assert has_hint == (kind not in ("", prefix))


def test_pocket_says_which_options_it_ignores(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "clipsearch"):
        registry.load("pocket", Runtime(precision="int8"))
        registry.load("pocket", Runtime(runtime="torch"))
        registry.load("pocket", Runtime())
    assert [record.getMessage() for record in caplog.records] == [
        "model pocket has a fixed precision: int8 is ignored",
        "model pocket always runs on OpenVINO: torch is ignored",
    ]
