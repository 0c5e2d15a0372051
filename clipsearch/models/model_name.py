"""How a model is written on the command line: the grammar of `--model`."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clipsearch.errors import ModelError, UnknownModelError
from clipsearch.models.catalog import ALIGN_REPO, MODELS, Family

ALIASES = {spec.alias: spec.name for spec in MODELS if spec.alias}

_LISTING = "`clipsearch models` lists good ones"
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A parsed model name; `name` is the canonical spelling and parses to an equal reference.

    Exactly one source is set: `arch` and `tag` (open_clip's own table), `repo` (ORG/NAME on the
    hub) or `folder` (absolute); none for "pocket", which comes with the package.
    """

    name: str
    family: Family
    arch: str = ""
    tag: str = ""
    repo: str = ""
    folder: Path | None = None


def parse_model_name(name: str) -> ModelRef:
    """Read `ARCH/TAG`, `ARCH__TAG`, `hf-hub:ORG/NAME`, `local-dir:PATH`, `align[:…]` or `pocket`.

    Nothing is looked up, and no library is imported: whether the model exists shows on loading.
    Raises ModelError on a name of another form, with the nearest known one.
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
    # Architectures used to be written with slashes (ViT-B/32); only the last one ends them.
    arch, _, tag = text.rpartition("/" if "/" in text else "__")
    if not arch or not tag:
        raise unknown_model_error(name)
    arch, tag = arch.replace("/", "-"), tag.lower().replace("-", "_")  # as open_clip reads them
    return ModelRef(f"{arch}/{tag}", "open_clip", arch=arch, tag=tag)


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
    """The architectures of the installed open_clip, from its files: importing it takes seconds."""
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    configs = Path(package.submodule_search_locations[0], "model_configs").glob("*.json")
    return frozenset(path.stem for path in configs)


def unknown_tag_error(ref: ModelRef, tags: Sequence[str]) -> ModelError:
    """The error for an architecture that has no weights of this tag, with the nearest it has."""
    near = difflib.get_close_matches(ref.tag, tags)
    if not tags:
        hint = f"no weights of {ref.arch} are published; "
    elif near:
        hint = f"did you mean {' or '.join(f'{ref.arch}/{tag}' for tag in near)}? "
    else:
        hint = f"there are {', '.join(f'{ref.arch}/{tag}' for tag in tags)}; "
    return ModelError(f"unknown model {ref.name!r}: {hint}{_LISTING}")


def unknown_model_error(name: str) -> UnknownModelError:
    """The error for a name of no known form or architecture, with the nearest good one."""
    if name and Path(name).expanduser().is_dir():
        return UnknownModelError(
            f"{name!r} is a folder: write local-dir:{name}, or align:{name} for ALIGN"
        )
    good = [*ALIASES, *(spec.name for spec in MODELS)]
    archs = architectures()
    if name in archs:
        example = next((each for each in good if each.startswith(f"{name}/")), f"{name}/TAG")
        return UnknownModelError(
            f"model {name!r} does not say which weights: write {example}, for instance"
        )
    arch, _, tag = name.rpartition("/")
    spelled = {each.lower(): each for each in good}
    if arch:
        spelled |= {f"{each}/{tag}".lower(): f"{each}/{tag}" for each in archs}
    near = [spelled[each] for each in difflib.get_close_matches(name.lower(), spelled)]
    if arch:
        # A long tag makes any architecture look near: it must be near by itself. Of those, only
        # the listed ones are sure to exist with this tag.
        near = [each for each in near if difflib.get_close_matches(arch, [each.rpartition("/")[0]])]
        near = [each for each in near if each in good] or near[:1]
    if not near and len(name) > 2:
        near = [each for each in good if name.lower() in each.lower()][:3]
    if not near and _REPO.fullmatch(name):
        near = [f"hf-hub:{name}"]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UnknownModelError(f"unknown model {name!r}: {hint}{_LISTING}")
