"""The grammar of `--model`, and the errors for unknown names."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clipsearch.errors import ModelError, UnknownModelError
from clipsearch.models import plugins
from clipsearch.models.catalog import ALIGN_REPO, MODELS, Family

ALIASES = {spec.alias: spec.name for spec in MODELS if spec.alias}

_LISTING = "`clipsearch models` lists recommended models"
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_CUSTOM = re.compile(r"(?!.*__)[\w.-]+")
_RESERVED = {"auto", "pocket", "align", *ALIASES}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A parsed model name; `name` is the canonical spelling and parses to an equal reference.

    Exactly one source is set: `arch` and `tag` (open_clip's own table), `repo` (ORG/NAME on the
    hub) or `folder` (absolute); none for "pocket" and plug-ins.
    """

    name: str
    family: Family
    arch: str = ""
    tag: str = ""
    repo: str = ""
    folder: Path | None = None


def parse_model_name(name: str) -> ModelRef:
    """Parse `ARCH/TAG`, `hf-hub:ORG/NAME`, `local-dir:PATH`, `align[:…]`, or a name.

    A name is "pocket", an alias, or a plug-in. `ARCH__TAG` is another spelling of `ARCH/TAG`.
    Whether a built-in model exists is only known after loading it. Raises ModelError on a name of
    another form, with the nearest known one.
    """
    text = ALIASES.get(name.strip(), name.strip())
    scheme, _, rest = text.partition(":")
    if text == "pocket":
        return ModelRef(text, "pocket")
    if scheme == "local-dir":
        folder = _absolute(rest, name)
        return ModelRef(f"local-dir:{folder}", "open_clip", folder=folder)
    if scheme == "hf-hub":
        return ModelRef(f"hf-hub:{_repo(rest, name)}", "open_clip", repo=rest)
    if scheme == "align":
        return _parse_align(rest, name) if ":" in text else _parse_align(ALIGN_REPO, name)
    # The last slash separates the tag: ViT-B/32/openai has the architecture ViT-B/32.
    arch, _, tag = text.rpartition("/" if "/" in text else "__")
    if not arch or not tag:
        if is_custom_name(text) and text in plugins.find_plugins():
            return ModelRef(text, "plugin")
        raise unknown_model_error(name)
    arch, tag = arch.replace("/", "-"), tag.lower().replace("-", "_")  # open_clip's normalization
    return ModelRef(f"{arch}/{tag}", "open_clip", arch=arch, tag=tag)


def is_custom_name(name: str) -> bool:
    """Whether a plug-in or a user's encoder may have this name: no built-in model can have it."""
    return name not in _RESERVED and _CUSTOM.fullmatch(name) is not None


def _parse_align(source: str, name: str) -> ModelRef:
    if source.startswith((".", "/", "~")) or Path(source).is_absolute() or Path(source).is_dir():
        folder = _absolute(source, name)
        return ModelRef(f"align:{folder}", "align", folder=folder)
    canonical = "align" if source == ALIGN_REPO else f"align:{source}"
    return ModelRef(canonical, "align", repo=_repo(source, name))


def _absolute(path: str, name: str) -> Path:
    if not path:
        raise ModelError(f"model {name!r} names no folder")
    return Path(path).expanduser().resolve()


def _repo(text: str, name: str) -> str:
    if not _REPO.fullmatch(text):
        raise ModelError(
            f"model {name!r}: {text!r} is neither a hub repository (ORG/NAME) nor a folder"
        )
    return text


def architectures() -> frozenset[str]:
    """The architectures of the installed open_clip, from its files; empty without open_clip.

    Importing open_clip takes seconds.
    """
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    configs = Path(package.submodule_search_locations[0], "model_configs").glob("*.json")
    return frozenset(path.stem for path in configs)


def unknown_tag_error(ref: ModelRef, tags: Sequence[str]) -> ModelError:
    """The error for an architecture without weights of this tag, with the nearest tags."""
    near = difflib.get_close_matches(ref.tag, tags)
    if not tags:
        hint = f"no weights of {ref.arch} are published; "
    elif near:
        hint = f"did you mean {' or '.join(f'{ref.arch}/{tag}' for tag in near)}? "
    else:
        hint = f"there are {', '.join(f'{ref.arch}/{tag}' for tag in tags)}; "
    return ModelError(f"unknown model {ref.name!r}: {hint}{_LISTING}")


def unknown_model_error(name: str) -> UnknownModelError:
    """The error for a name of no known form or architecture, with the nearest known names."""
    if name and Path(name).expanduser().is_dir():
        return UnknownModelError(
            f"{name!r} is a folder: write local-dir:{name}, or align:{name} for ALIGN"
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
