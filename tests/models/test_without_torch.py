"""A base install, without torch, open_clip and transformers: what works, and the errors."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest

from clipsearch.errors import ModelError
from clipsearch.index import Index
from clipsearch.models import registry, runtime, unknown_model
from clipsearch.models.runtime import Runtime, require_torch
from tests.helpers import checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")

COMMAND = r"pip install 'clipsearch\[torch\]'"

# Runs the code after it as if the packages of the extra were not installed.
HIDE = """
import importlib.metadata, sys
hidden = ("torch", "torchvision", "transformers", "open_clip", "open_clip_torch", "timm")
for name in hidden:
    sys.modules[name] = None
version = importlib.metadata.version
def installed(name):
    if name in hidden:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = installed
"""

SEARCH = f"""{HIDE}
from clipsearch import Index
with Index.open(sys.argv[1], **dict(word.split("=") for word in sys.argv[2:])) as index:
    print(index.search("a dog", limit=1)[0].path.name)
    print(index.encoder.identity.precision)
"""


def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> ModuleSpec | None:
        return None if name in ("torch", "open_clip", "transformers") else find_spec(name)

    for module in (runtime, unknown_model):
        monkeypatch.setattr(module, "find_spec", installed)


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "ALIGN", "pocket"])
def test_a_collection_of_a_converted_model_opens(
    kind: str, image_folder: Path, tmp_path: Path
) -> None:
    if kind == "ALIGN":
        model = f"align:{checkpoints.save_align(tmp_path / 'm')}"
    elif kind == "pocket":
        model = "pocket"
    else:
        config = checkpoints.siglip() if kind == "SigLIP" else checkpoints.vit_b_32()
        clip, siglip = checkpoints.CLIP_PREPROCESSING, checkpoints.SIGLIP_PREPROCESSING
        preprocessing = siglip if kind == "SigLIP" else clip
        model = f"local-dir:{checkpoints.save_open_clip(tmp_path / 'm', config, preprocessing)}"
    with Index.open(tmp_path / "a.db", model=model, device="cpu") as index:
        index.ingest(image_folder)
        expected = index.search("a dog", limit=1)[0].path.name
    done = run(SEARCH, tmp_path / "a.db")
    assert done.stdout.splitlines()[:1] == [expected], done.stderr
    if kind == "CLIP":  # int8 needs OpenVINO alone, and NNCF where it is installed
        done = run(SEARCH, tmp_path / "a.db", "precision=int8")
        assert "int8" in done.stdout, done.stderr
        # On torch it cannot run, and says what to install.
        done = run(SEARCH, tmp_path / "a.db", "runtime=torch")
        assert "pip install 'clipsearch[torch]'" in done.stderr


def test_importing_hidden_packages_fails_in_these_tests() -> None:
    done = run(f"{HIDE}\nimport torch")
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("name", ["ViT-B-32/openai", "align", "ViT-Q-1/made_up", "local-dir:/x"])
def test_other_models_say_what_to_install(without_torch: None, name: str) -> None:
    for options in (Runtime("cpu"), Runtime(runtime="torch")):
        with pytest.raises(ModelError, match=COMMAND) as caught:
            registry.load(name, options)
        assert "\n" not in str(caught.value)


def test_the_default_is_pocket_if_no_export_of_clip_can_be_had(
    without_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, reason = registry.choose_default()
    assert name == "pocket"
    assert reason == "the weights of clip are not on this machine, and HF_HUB_OFFLINE is set"
    monkeypatch.setenv("CLIPSEARCH_MODEL", "ViT-B-32/openai")
    assert registry.choose_default()[0] == "ViT-B-32/openai"


def test_require_torch_names_what_needs_it(without_torch: None) -> None:
    with pytest.raises(ModelError, match=rf"^distillation needs PyTorch: {COMMAND}$"):
        require_torch("distillation")


def test_with_the_extra_nothing_is_refused() -> None:
    require_torch("distillation")
