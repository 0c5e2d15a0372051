"""From a model's name to its encoder, and the default model.

Importing this is cheap: torch and the model libraries load with the first model of their family.
"""

import logging
from functools import partial

from clipsearch import config
from clipsearch.address_space import TEXTS, require_address_space
from clipsearch.arguments import show
from clipsearch.errors import ClipsearchError, ModelError, UsageError
from clipsearch.models import hub
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.calibration_images import SampleImages
from clipsearch.models.export_source import ExportableEncoder
from clipsearch.models.model_name import (
    ModelRef,
    is_custom_name,
    parse_model_name,
)
from clipsearch.models.onnx_names import EXPORTS
from clipsearch.models.plugins import find_plugins, load_plugin
from clipsearch.models.precision import PrecisionRecord
from clipsearch.models.recommended_models import MODELS, ModelSpec
from clipsearch.models.runtime import (
    TORCH_EXTRA,
    Runtime,
    has_torch,
    log_ignored_options,
    require_torch,
)
from clipsearch.models.unknown_model import architectures, unknown_model_error

__all__ = [
    "MODELS",
    "ModelRef",
    "ModelSpec",
    "check_custom_encoder",
    "choose_default",
    "is_local",
    "is_other_release",
    "load",
    "measured_precision",
    "parse_model_name",
    "plugin_specs",
    "would_calibrate",
]

log = logging.getLogger("clipsearch")

_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "sentencepiece.bpe.model")


def load(
    name: str, runtime: Runtime | None = None, *, sample: SampleImages | None = None
) -> Encoder:
    """Load a model by any name that `parse_model_name` accepts; "auto" is the default model.

    `runtime` defaults to the user's settings. On the CPU a model runs on OpenVINO, and is converted
    when it is first used; on CUDA and MPS it runs on torch. The built-in model always runs on
    OpenVINO, in its own precision. An ONNX export takes the place of an open_clip model that was
    not converted, if it is on this machine, or if torch is not installed and the hub offers one.
    `sample` returns images of the user, on which an int8 version is calibrated; without it they are
    drawn. Raises ModelError on an unknown model, missing weights, broken files, or if the model
    needs the extra `torch`, which is not installed.
    """
    require_address_space(TEXTS, "load a model")
    runtime = runtime or Runtime.from_options()
    ref = parse_model_name(choose_default()[0] if name == "auto" else name)
    if ref.family == "pocket":
        log_ignored_options("pocket", runtime)
        from clipsearch.models.pocket.encoder import PocketEncoder

        return PocketEncoder()
    if ref.family == "plugin":
        return load_plugin(ref.name, runtime)
    if ref.family == "onnx":
        from clipsearch.models.onnx_exports import open_export

        return open_export(ref, runtime, sample)
    # Checked before an import that takes seconds. Without open_clip, no architecture is known.
    if ref.arch and (known := architectures()) and ref.arch not in known:
        raise unknown_model_error(name)
    if not runtime.on_openvino:
        return _on_torch(ref, runtime)

    from clipsearch.models.export import is_converted, open_or_export

    if ref.arch and not is_converted(ref) and (encoder := _exported(ref, runtime, sample)):
        return encoder
    return open_or_export(ref, runtime.precision, partial(_on_torch, ref), sample)


def is_other_release(model: ModelIdentity) -> bool:
    """Whether a collection's model is a release of the built-in one that is not in this package."""
    if model.name != "pocket":
        return False
    from clipsearch.models.pocket.encoder import PocketEncoder

    return not PocketEncoder().identity.is_comparable(model)


def measured_precision(name: str) -> PrecisionRecord | None:
    """What was measured of a model in each precision on this machine; None if nothing was.

    Loads no model.
    """
    from clipsearch.models.export import find_exported

    try:
        conversion = find_exported(_converted(parse_model_name(name)))
    except ClipsearchError:  # the model of a plug-in or of the user's own code
        return None
    return conversion.record() if conversion else None


def would_calibrate(name: str, runtime: Runtime) -> bool:
    """Whether `load` would now make the int8 version of a model, for which it wants a `sample`.

    Loads no model; False for an unknown one.
    """
    from clipsearch.models import export

    try:
        ref = _converted(parse_model_name(name))
    except ClipsearchError:
        return False
    if ref.family in ("pocket", "plugin") or not runtime.on_openvino:
        return False
    return export.would_calibrate(ref, runtime.precision)


def _converted(ref: ModelRef) -> ModelRef:
    """The model that OpenVINO runs: this one, or an ONNX export that takes its place."""
    from clipsearch.models.export import is_converted
    from clipsearch.models.onnx_exports import local_export

    return (local_export(ref.name) if ref.arch and not is_converted(ref) else None) or ref


def _exported(ref: ModelRef, runtime: Runtime, sample: SampleImages | None) -> Encoder | None:
    """Open an ONNX export of an open_clip model: one on this machine, or without torch the hub's.

    Raises ModelError if torch is not installed and the hub's cannot be used.
    """
    from clipsearch.models.export import is_converted
    from clipsearch.models.onnx_exports import local_export, open_export, published_export

    export = local_export(ref.name)
    if export is None and not has_torch():
        export = published_export(ref.name)
    if export is None:
        return None
    if not is_converted(export):
        log.info("model %s is read from its export %s", ref.name, export.name)
    try:
        return open_export(export, runtime, sample)
    except ModelError as error:
        if has_torch():
            log.info("%s", error)
            return None
        raise ModelError(
            f"model {ref.name} needs PyTorch ({TORCH_EXTRA}) or its ONNX export: {error}"
        ) from error


def _on_torch(ref: ModelRef, runtime: Runtime) -> ExportableEncoder:
    require_torch(f"model {ref.name}")
    if ref.family == "align":
        from clipsearch.models.align import AlignEncoder

        return AlignEncoder(ref, runtime)

    from clipsearch.models.open_clip import OpenClipEncoder

    return OpenClipEncoder(ref, runtime)


def choose_default() -> tuple[str, str]:
    """The model for a new collection if none is named, and the reason as half a sentence.

    CLIPSEARCH_MODEL or `model` of config.toml; else "clip" if its weights are on this machine, or
    if the hub offers them within seconds; else "pocket". Without torch, the weights are those of
    the ONNX export, which is downloaded and converted here, and anything that fails means "pocket".
    """
    setting = config.find_setting("model")
    if setting and setting.value != "auto":
        return parse_model_name(setting.value).name, f"{setting.source} names it"
    clip = next(spec for spec in MODELS if spec.alias == "clip")
    source = clip.repo if has_torch() else parse_model_name(EXPORTS[clip.name]).repo
    if is_local(clip):
        reason = "its weights are on this machine"
    elif hub.is_offline():
        return "pocket", "the weights of clip are not on this machine, and HF_HUB_OFFLINE is set"
    elif hub.offers(source):
        megabytes = round(clip.download_bytes / 1e6)
        reason = f"{hub.endpoint()} offers its weights ({megabytes} MB, downloaded once)"
    else:
        return "pocket", (
            f"the weights of clip are not on this machine, and {hub.endpoint()} does not answer"
        )
    if not has_torch():
        try:  # now, as another default is possible only now
            load("clip")
        except ClipsearchError as error:
            return "pocket", str(error)
    return "clip", reason


def check_custom_encoder(encoder: Encoder) -> None:
    """Raise UsageError if a user's encoder has a name that a built-in model may have."""
    if not isinstance(getattr(encoder, "identity", None), ModelIdentity):
        raise UsageError(f"model must be a name or an Encoder, not {show(encoder)}")
    name = encoder.identity.name
    if not is_custom_name(name) and not type(encoder).__module__.startswith("clipsearch."):
        raise UsageError(
            f"the encoder's identity is named {name!r}, which is reserved for built-in models: "
            "use another name of letters, digits, dots and hyphens"
        )


def plugin_specs() -> list[ModelSpec]:
    """The models of installed plug-ins, without a dimension, which is known after loading."""
    return [
        ModelSpec(name, "plugin", 0, 0, "", f"plug-in of the package {package}")
        for name, package in find_plugins().items()
        if is_custom_name(name)
    ]


def is_local(spec: ModelSpec) -> bool:
    """Whether a model loads without a download."""
    if spec.family in ("pocket", "plugin"):
        return True
    is_open_clip = spec.family == "open_clip"
    if is_open_clip and (spec.name in EXPORTS or not has_torch()):
        from clipsearch.models.export import is_converted
        from clipsearch.models.onnx_exports import local_export

        if is_converted(parse_model_name(spec.name)) or local_export(spec.name):
            return True
    if not has_torch():
        return False
    weights = hub.OPEN_CLIP_WEIGHTS if is_open_clip else hub.TRANSFORMERS_WEIGHTS
    return hub.cached_file(spec.repo, weights) is not None and all(
        hub.cached_file(repo, _TOKENIZERS) is not None for repo in spec.tokenizer_repos
    )
