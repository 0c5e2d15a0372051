"""Errors for unknown models, with the nearest known names."""

import contextlib
import difflib
import json
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from clipsearch.errors import ModelError, UnknownModelError
from clipsearch.models import plugins
from clipsearch.models.onnx_names import EXPORTS, open_clip_name
from clipsearch.models.recommended_models import ALIASES, MODELS

_LISTING = "`clipsearch models` lists recommended models"
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


def architectures() -> frozenset[str]:
    """The architectures of the installed open_clip, from its files; empty without open_clip.

    Importing open_clip takes seconds.
    """
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    configs = Path(package.submodule_search_locations[0], "model_configs").glob("*.json")
    return frozenset(path.stem for path in configs)


def unknown_tag_error(name: str, arch: str, tag: str, tags: Sequence[str]) -> ModelError:
    """The error for an architecture without weights of this tag, with the nearest tags."""
    near = difflib.get_close_matches(tag, tags)
    if not tags:
        hint = f"no weights of {arch} are published; "
    elif near:
        hint = f"did you mean {' or '.join(f'{arch}/{known}' for known in near)}? "
    else:
        hint = f"there are {', '.join(f'{arch}/{known}' for known in tags)}; "
    return ModelError(f"unknown model {name!r}: {hint}{_LISTING}")


def folder_kind(folder: Path) -> str:
    """The prefix of a model's name for the files in a folder, "" if they are of no known kind."""
    if (folder / "open_clip_config.json").is_file():
        return "local-dir"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads((folder / "config.json").read_text("utf-8")).get("model_type") == "align":
            return "align"
    is_onnx = any(any(folder.glob(pattern)) for pattern in ("*.onnx", "*/*.onnx"))
    return "onnx" if is_onnx else ""


def folder_hint(folder: Path, prefix: str) -> str:
    """Say which prefix the model in a folder needs, "" if `prefix` may be right."""
    kind = folder_kind(folder)
    names = {"local-dir": "open_clip", "align": "ALIGN", "onnx": "ONNX"}
    return (
        f"it is a model of {names[kind]}: write {kind}:{folder}" if kind not in ("", prefix) else ""
    )


def unknown_model_error(name: str) -> UnknownModelError:
    """The error for a name of no known form or architecture, with the nearest known names."""
    if name and (folder := Path(name).expanduser()).is_dir():
        if kind := folder_kind(folder):
            return UnknownModelError(f"{name!r} is a folder: write {kind}:{name}")
        return UnknownModelError(
            f"{name!r} is a folder: write local-dir:{name}, align:{name} for ALIGN, or onnx:{name}"
        )
    listed = [*ALIASES, *(spec.name for spec in MODELS), *plugins.find_plugins()]
    archs = architectures()
    if name in archs:
        example = next((known for known in listed if known.startswith(f"{name}/")), f"{name}/TAG")
        return UnknownModelError(
            f"model {name!r} does not say which weights: write {example}, for example"
        )
    near = _nearest(name, listed, archs)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UnknownModelError(f"unknown model {name!r}: {hint}{_LISTING}")


def _nearest(name: str, listed: Sequence[str], archs: frozenset[str]) -> list[str]:
    arch, _, tag = name.rpartition("/")
    if open_clip_name(name) and f"onnx:{name}" in EXPORTS.values():
        return [f"onnx:{name}", open_clip_name(name)]
    spelled = {known.lower(): known for known in listed}
    if arch:
        spelled |= {f"{known}/{tag}".lower(): f"{known}/{tag}" for known in archs}
    near = [spelled[match] for match in difflib.get_close_matches(name.lower(), spelled)]
    if arch:
        # With a long tag, any architecture is a close match: it must be one by itself. Of those,
        # only the listed models are sure to exist with this tag.
        near = [m for m in near if difflib.get_close_matches(arch, [m.rpartition("/")[0]])]
        near = [match for match in near if match in listed] or near[:1]
    if not near and len(name) > 2:
        near = [known for known in listed if name.lower() in known.lower()][:3]
    if not near and _REPO.fullmatch(name):
        near = [f"hf-hub:{name}"]
    return near


def missing_custom_model_error(collection: str, name: str) -> UnknownModelError:
    """Return the error for a collection whose model came from the caller or from a plug-in."""
    return UnknownModelError(
        f"the collection {collection!r} was made by the custom model {name!r}: open it with "
        "Index.open(model=…) and that encoder, or install the package that registers it"
    )
