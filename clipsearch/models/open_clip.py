"""Models of the open_clip library: CLIP, SigLIP, CoCa and their kin."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
from open_clip.factory import _find_checkpoint_in_dir

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.base import ModelIdentity
from clipsearch.models.crop import CenterCrop
from clipsearch.models.export_source import ExportSource
from clipsearch.models.loading import loading
from clipsearch.models.model_name import ModelRef, unknown_tag_error
from clipsearch.models.open_clip_text_tower import own_length, padding_of, save_tokenizer
from clipsearch.models.patch_tokens import has_patches, patches
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.models.torch_runtime import TorchRuntime, Tower, batch
from clipsearch.models.weights_hash import digest
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

CONFIG = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the library finds a model: the arguments for it, its config, the hub's files."""

    model: str
    config: Mapping[str, Any]
    tag: str | None = None
    quick_gelu: bool = False
    repo: str = ""
    weights: Sequence[str] = hub.OPEN_CLIP_WEIGHTS


class OpenClipEncoder:
    """A model of open_clip with the preprocessing, activation and tokenizer it was trained with."""

    def __init__(self, ref: ModelRef, runtime: Runtime) -> None:
        """Load a model, from the hub where it is not on this machine yet.

        Raises ModelError on an unknown tag, missing weights, a broken folder, or weights of
        another architecture; nothing is left at its random values.
        """
        self._torch = TorchRuntime(runtime)
        hint = (
            f"are its weights whole, and of the architecture in {CONFIG}?"
            if ref.folder
            else "try again online, or another --model"
        )
        with loading(ref.name, hint=hint):
            source = _source(ref)
            model, self._transform = open_clip.create_model_from_pretrained(
                source.model,
                pretrained=source.tag,
                # Alone, the library only warns where a tag was trained with another activation.
                force_quick_gelu=source.quick_gelu,
                cache_dir=str(hub.cache_folder()),
                device=self._torch.device,
            )
            self._tokenize = open_clip.get_tokenizer(
                source.model, cache_dir=str(hub.cache_folder())
            )
            self._model = model.eval()
            self._text = own_length(model, self._tokenize)
            self._files = _files(ref, source)
            self._description = json.dumps(source.config, sort_keys=True)
            quick_gelu = source.quick_gelu or bool(source.config.get("quick_gelu"))
            self._config = {**source.config, "quick_gelu": quick_gelu}
            self._identity = ModelIdentity(
                name=ref.name,
                dim=int(source.config["embed_dim"]),
                weights=digest([_weights_file(ref, source)]),
                preprocessing=_describe(model.visual.preprocess_cfg, quick_gelu=quick_gelu),
                precision=self._torch.precision,
            )

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def logit_scale(self) -> float:
        """The trained scale of cosines; SigLIP's too, whose bias is the same for every label."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def input_size(self) -> int:
        """Pixels a side of what the model sees, the longer one."""
        return int(np.max(self._model.visual.preprocess_cfg["size"]))

    @property
    def center_crop(self) -> CenterCrop:
        """What the model sees of a picture."""
        return CenterCrop(square=self._model.visual.preprocess_cfg["resize_mode"] == "shortest")

    def preprocess(self, image: "Image") -> Pixels:
        """An upright RGB picture as (3, H, W) float32, by the model's own evaluation transform."""
        pixels: Pixels = self._transform(image).numpy()
        return pixels

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed pictures as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self._identity.dim), np.float32)
        return self._torch.infer(self._model.encode_image, batch(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; what exceeds the context is cut off."""
        if not texts:
            return np.empty((0, self._identity.dim), np.float32)
        ids = self._tokenize(list(texts))
        if self._text is None:
            return self._torch.infer(self._model.encode_text, ids)
        return self._torch.infer_texts(self._text, ids, padding_of(self._tokenize))

    @property
    def module(self) -> Any:
        """The library's own model, for what is made from its weights."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """The library's tokenizer for it."""
        return self._tokenize

    @property
    def config(self) -> Mapping[str, Any]:
        """Its architecture as a `model_cfg`, with the activation that it was trained with."""
        return self._config

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works: on the vision transformers of the library itself."""
        return has_patches(self._model.visual)

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Each patch of n preprocessed pictures, (n, rows, columns, d) float32, of any length."""
        return self._torch.infer(partial(patches, self._model.visual), batch(pixels))

    @property
    def sources(self) -> Sequence[Path]:
        """All files and folders that another model could come from next time."""
        return self._files

    def parts(self) -> ExportSource:
        """What a conversion takes; raises NotConvertibleError where there is no such thing."""
        return ExportSource(
            image=Tower(self._model, self._model.encode_image),
            text=Tower(self._model, self._text or self._model.encode_text),
            preprocessing=Preprocessing.from_open_clip(self._model.visual.preprocess_cfg),
            save_tokenizer=partial(save_tokenizer, self._tokenize),
            context=int(self._tokenize.context_length),
            padding=padding_of(self._tokenize),
            masked=False,
            own_length=self._text is not None,
            description=self._description,
        )


def _source(ref: ModelRef) -> _Source:
    """Find a model's config, and make sure of its weights, before anything large is built."""
    if ref.folder:
        return _Source(f"local-dir:{ref.folder}", _read_config(ref, ref.folder / CONFIG))
    if ref.repo:
        from huggingface_hub import hf_hub_download

        hub.require(ref.name, ref.repo, hub.OPEN_CLIP_WEIGHTS)
        path = hf_hub_download(
            ref.repo, CONFIG, cache_dir=hub.cache_folder(), local_files_only=hub.offline()
        )
        return _Source(f"hf-hub:{ref.repo}", _read_config(ref, Path(path)), repo=ref.repo)
    published = open_clip.get_pretrained_cfg(ref.arch, ref.tag)
    if not published:
        raise unknown_tag_error(ref, open_clip.list_pretrained_tags_by_model(ref.arch))
    repo, _, file = published["hf_hub"].rpartition("/")
    # The library prefers the safe twin of a pickled file.
    weights = (str(Path(file).with_suffix(".safetensors")), file) if file else hub.OPEN_CLIP_WEIGHTS
    hub.require(ref.name, repo, weights)
    config = open_clip.get_model_config(ref.arch)
    quick_gelu = bool(published.get("quick_gelu"))
    return _Source(ref.arch, config, ref.tag, quick_gelu, repo, weights)


def _read_config(ref: ModelRef, path: Path) -> Mapping[str, Any]:
    """The architecture in an open_clip_config.json, once that says all that vectors depend on."""
    if not path.parent.is_dir():
        raise ModelError(f"model {ref.name}: there is no folder {path.parent}")
    if not path.is_file():
        raise ModelError(f"model {ref.name}: {path.parent} has no {CONFIG}, which open_clip writes")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        preprocessing, architecture = config.get("preprocess_cfg") or {}, config["model_cfg"]
        architecture["embed_dim"], architecture["vision_cfg"], architecture["text_cfg"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"model {ref.name}: {path} is no config of open_clip: {error!r}"
        ) from error
    # Where they are missing the library takes OpenAI's without a word: wrong for many models.
    if missing := [key for key in ("mean", "std") if not preprocessing.get(key)]:
        raise ModelError(
            f"model {ref.name}: {path} does not say how pictures are prepared: add "
            f"{' and '.join(missing)} to its preprocess_cfg, as the model's page gives them"
        )
    if ref.folder and not _find_checkpoint_in_dir(ref.folder):
        raise ModelError(
            f"model {ref.name}: {ref.folder} has no weights (*.safetensors, *.bin, *.pth)"
        )
    result: Mapping[str, Any] = architecture
    return result


def _weights_file(ref: ModelRef, source: _Source) -> Path:
    # The library's own choice among several files: the hash of another one would be a lie.
    if ref.folder:
        return Path(_find_checkpoint_in_dir(ref.folder))
    path = hub.cached(source.repo, source.weights)
    if path is None:
        raise ModelError(
            f"model {ref.name}: the weights of {source.repo} are not in the hub's cache"
        )
    return path


def _files(ref: ModelRef, source: _Source) -> Sequence[Path]:
    """All files and folders that another model could come from next time."""
    if ref.folder:
        return [ref.folder, *sorted(path for path in ref.folder.iterdir() if path.is_file())]
    text = source.config["text_cfg"]
    repos = {source.repo, text.get("hf_tokenizer_name"), text.get("hf_model_name")} - {None, ""}
    return [_weights_file(ref, source), *(hub.revision(repo) for repo in sorted(repos))]


def _describe(config: Mapping[str, Any], *, quick_gelu: bool) -> str:
    """One line of all that decides what the model sees; its activation too, which weights don't tell."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mean, std = (", ".join(f"{x:.6g}" for x in config[key]) for key in ("mean", "std"))
    resize = {
        "shortest": "shortest side, centre crop",
        "longest": f"longest side, padded with {config['fill_color']}",
        "squash": "squashed",
    }[config["resize_mode"]]
    line = f"{width}x{height} px, {resize}, {config['interpolation']}, mean ({mean}), std ({std})"
    return f"{line}, QuickGELU" if quick_gelu else line
