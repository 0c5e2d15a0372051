"""The checkpoint of an open_clip model: its config and the files of its weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.model_name import ModelRef
from clipsearch.models.unknown_model import folder_hint, unknown_tag_error

CONFIG = "open_clip_config.json"

_PREFERRED_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where open_clip finds a model: its arguments, the model's config, the files on the hub.

    `config` is the architecture (`model_cfg`). `repo` is empty for a folder.
    """

    model: str
    config: Mapping[str, Any]
    tag: str | None = None
    quick_gelu: bool = False
    repo: str = ""
    weights: Sequence[str] = hub.OPEN_CLIP_WEIGHTS


def find_checkpoint(ref: ModelRef) -> Checkpoint:
    """Find a model's config and check that its weights exist, before anything large is built.

    Raises ModelError if they are missing or the config is incomplete.
    """
    if ref.folder:
        return Checkpoint(f"local-dir:{ref.folder}", _read_config(ref, ref.folder / CONFIG))
    if ref.repo:
        from huggingface_hub import hf_hub_download

        hub.require(ref.name, ref.repo, hub.OPEN_CLIP_WEIGHTS)
        path = hf_hub_download(
            ref.repo, CONFIG, cache_dir=hub.cache_folder(), local_files_only=hub.is_offline()
        )
        return Checkpoint(f"hf-hub:{ref.repo}", _read_config(ref, Path(path)), repo=ref.repo)
    published = open_clip.get_pretrained_cfg(ref.arch, ref.tag)
    if not published:
        tags = open_clip.list_pretrained_tags_by_model(ref.arch)
        raise unknown_tag_error(ref.name, ref.arch, ref.tag, tags)
    repo, _, file = published["hf_hub"].rpartition("/")
    # open_clip prefers the safetensors version of a pickled file.
    weights = (str(Path(file).with_suffix(".safetensors")), file) if file else hub.OPEN_CLIP_WEIGHTS
    hub.require(ref.name, repo, weights)
    config = open_clip.get_model_config(ref.arch)
    quick_gelu = bool(published.get("quick_gelu"))
    return Checkpoint(ref.arch, config, ref.tag, quick_gelu, repo, weights)


def weights_file(ref: ModelRef, checkpoint: Checkpoint) -> Path:
    """The file whose weights open_clip loads; raises ModelError if there is none.

    It must be open_clip's own choice among several files: the identity has the hash of this one.
    """
    path = (
        find_weights(ref.folder)
        if ref.folder
        else hub.cached_file(checkpoint.repo, checkpoint.weights)
    )
    if path is None:
        source = ref.folder or f"the hub's cache of {checkpoint.repo}"
        raise ModelError(f"model {ref.name}: {source} has no weights (*.safetensors, *.bin, *.pth)")
    return path


def find_weights(folder: Path) -> Path | None:
    """The file in a folder that open_clip loads, or None.

    The rules are those of open_clip 3, where they are not public; a test compares them.
    """
    files = [
        path for suffix in ("safetensors", "bin", "pth") for path in folder.glob(f"*.{suffix}")
    ]
    files.sort(key=lambda path: (path.suffix != ".safetensors", path))
    by_name = {path.name: path for path in files}
    preferred = [by_name[name] for name in _PREFERRED_WEIGHTS if name in by_name]
    return next(iter([*preferred, *files]), None)


def source_files(ref: ModelRef, checkpoint: Checkpoint) -> Sequence[Path]:
    """The files and folders that the model was loaded from; a change may mean a new model."""
    if ref.folder:
        return [ref.folder, *sorted(path for path in ref.folder.iterdir() if path.is_file())]
    text = checkpoint.config["text_cfg"]
    repos = {checkpoint.repo, text.get("hf_tokenizer_name"), text.get("hf_model_name")} - {None, ""}
    revisions = (hub.revision_file(repo) for repo in sorted(repos))
    return [weights_file(ref, checkpoint), *revisions]


def _read_config(ref: ModelRef, path: Path) -> Mapping[str, Any]:
    """The architecture in an open_clip_config.json, after checking that the file is complete."""
    if not path.parent.is_dir():
        raise ModelError(f"model {ref.name}: there is no folder {path.parent}")
    if not path.is_file():
        raise ModelError(
            f"model {ref.name}: {path.parent} has no {CONFIG}, which open_clip writes"
            + (f"; {hint}" if (hint := folder_hint(path.parent, "local-dir")) else "")
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        preprocessing, architecture = config.get("preprocess_cfg") or {}, config["model_cfg"]
        architecture["embed_dim"], architecture["vision_cfg"], architecture["text_cfg"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"model {ref.name}: {path} is not a config of open_clip: {error!r}"
        ) from error
    # If they are missing, open_clip silently uses OpenAI's, which are wrong for many models.
    if missing := [key for key in ("mean", "std") if not preprocessing.get(key)]:
        raise ModelError(
            f"model {ref.name}: {path} does not say how images are normalized: add "
            f"{' and '.join(missing)} to its preprocess_cfg, as the model's page gives them"
        )
    if ref.folder and not find_weights(ref.folder):
        raise ModelError(
            f"model {ref.name}: {ref.folder} has no weights (*.safetensors, *.bin, *.pth)"
        )
    result: Mapping[str, Any] = architecture
    return result
