"""Parse the name of a model, as `--model` takes it."""

import re
from dataclasses import dataclass
from pathlib import Path

from clipsearch.errors import UnknownModelError
from clipsearch.models import plugins
from clipsearch.models.onnx_names import EXPORTS, open_clip_name
from clipsearch.models.recommended_models import ALIASES, ALIGN_REPO, Family
from clipsearch.models.unknown_model import unknown_model_error

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_CUSTOM = re.compile(r"(?!.*__)[\w.-]+")
_RESERVED = {"auto", "pocket", "align", *ALIASES}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A parsed model name; `name` is the canonical spelling and parses to an equal reference.

    Exactly one source is set: `arch` and `tag` (open_clip's own table), `repo` (ORG/NAME on the
    hub, with `subfolder`) or `folder` (absolute); none for "pocket" and plug-ins. `open_clip_name`
    is the ARCH/TAG that an ONNX export was made from, if its name says so.
    """

    name: str
    family: Family
    arch: str = ""
    tag: str = ""
    repo: str = ""
    folder: Path | None = None
    subfolder: str = ""
    open_clip_name: str = ""


def parse_model_name(name: str) -> ModelRef:
    """Parse `ARCH/TAG`, `hf-hub:ORG/NAME`, `local-dir:PATH`, `onnx:…`, `align[:…]`, or a name.

    A name is "pocket", an alias, or a plug-in. `ARCH__TAG` is another spelling of `ARCH/TAG`.
    Whether a built-in model exists is only known after loading it. Raises UnknownModelError on
    a name of another form, with the nearest known one.
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
    if scheme == "onnx":
        return _parse_onnx(rest, name)
    if scheme == "align":
        return _parse_align(rest, name) if ":" in text else _parse_align(ALIGN_REPO, name)
    if f"onnx:{text}" in EXPORTS.values():
        raise unknown_model_error(name)
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


def _parse_onnx(source: str, name: str) -> ModelRef:
    if _is_folder(source):
        folder = _absolute(source, name)
        return ModelRef(
            f"onnx:{folder}", "onnx", folder=folder, open_clip_name=open_clip_name(folder.name)
        )
    org, _, rest = source.strip("/").partition("/")
    project, _, subfolder = rest.partition("/")
    repo = _repo(f"{org}/{project}", name)
    return ModelRef(
        f"onnx:{repo}/{subfolder}" if subfolder else f"onnx:{repo}",
        "onnx",
        repo=repo,
        subfolder=subfolder,
        open_clip_name=open_clip_name(subfolder or project),
    )


def _is_folder(source: str) -> bool:
    path = Path(source)  # "" names no folder, which `_absolute` reports
    return source.startswith((".", "/", "~")) or path.is_absolute() or path.is_dir()


def _parse_align(source: str, name: str) -> ModelRef:
    if _is_folder(source):
        folder = _absolute(source, name)
        return ModelRef(f"align:{folder}", "align", folder=folder)
    canonical = "align" if source == ALIGN_REPO else f"align:{source}"
    return ModelRef(canonical, "align", repo=_repo(source, name))


def _absolute(path: str, name: str) -> Path:
    if not path:
        raise UnknownModelError(f"model {name!r} names no folder")
    return Path(path).expanduser().resolve()


def _repo(text: str, name: str) -> str:
    if not _REPO.fullmatch(text):
        raise UnknownModelError(
            f"model {name!r}: {text!r} is neither a hub repository (ORG/NAME) nor a folder"
        )
    return text
