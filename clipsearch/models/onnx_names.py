"""Published ONNX exports of open_clip models, and the models that their names stand for."""

import re

_TAG = (
    r"(?:openai|webli|mrl|v1|meta|yfcc15m|cc12m"
    r"|(?:laion|frozen_laion|mscoco_finetuned_laion|datacomp|commonpool|dfn|metaclip|merged2b)\w*)"
)
_EXPORT = re.compile(rf"(?P<arch>.+?)(?:__|-)(?P<tag>{_TAG})")
_ARCHITECTURE = re.compile(
    r"(?:ViT|RN\d|EVA0|PE-Core|MobileCLIP|coca_|convnext_|nllb-clip|roberta-|xlm-roberta-|mt5-|vit_"
    r"|swin_)[\w.-]*"
)
# The only part of a name that exporters spell in another case than open_clip.
_ROBERTA = re.compile(r"^XLM-Roberta-(Base|Large)(?=-)")

_IMMICH = (
    "nllb-clip-base-siglip__mrl",
    "nllb-clip-base-siglip__v1",
    "nllb-clip-large-siglip__mrl",
    "nllb-clip-large-siglip__v1",
    "RN101__openai",
    "RN101__yfcc15m",
    "RN50__cc12m",
    "RN50__openai",
    "RN50__yfcc15m",
    "RN50x16__openai",
    "RN50x4__openai",
    "RN50x64__openai",
    "ViT-B-16-plus-240__laion400m_e31",
    "ViT-B-16-plus-240__laion400m_e32",
    "ViT-B-16-SigLIP-256__webli",
    "ViT-B-16-SigLIP-384__webli",
    "ViT-B-16-SigLIP-512__webli",
    "ViT-B-16-SigLIP-i18n-256__webli",
    "ViT-B-16-SigLIP__webli",
    "ViT-B-16-SigLIP2__webli",
    "ViT-B-16__laion400m_e31",
    "ViT-B-16__laion400m_e32",
    "ViT-B-16__openai",
    "ViT-B-32-SigLIP2-256__webli",
    "ViT-B-32__laion2b-s34b-b79k",
    "ViT-B-32__laion2b_e16",
    "ViT-B-32__laion400m_e31",
    "ViT-B-32__laion400m_e32",
    "ViT-B-32__openai",
    "ViT-gopt-16-SigLIP2-256__webli",
    "ViT-gopt-16-SigLIP2-384__webli",
    "ViT-H-14-378-quickgelu__dfn5b",
    "ViT-H-14-quickgelu__dfn5b",
    "ViT-H-14__laion2b-s32b-b79k",
    "ViT-L-14-336__openai",
    "ViT-L-14-quickgelu__dfn2b",
    "ViT-L-14__laion2b-s32b-b82k",
    "ViT-L-14__laion400m_e31",
    "ViT-L-14__laion400m_e32",
    "ViT-L-14__openai",
    "ViT-L-16-SigLIP-256__webli",
    "ViT-L-16-SigLIP-384__webli",
    "ViT-L-16-SigLIP2-256__webli",
    "ViT-L-16-SigLIP2-384__webli",
    "ViT-L-16-SigLIP2-512__webli",
    "ViT-SO400M-14-SigLIP-384__webli",
    "ViT-SO400M-14-SigLIP2-378__webli",
    "ViT-SO400M-14-SigLIP2__webli",
    "ViT-SO400M-16-SigLIP2-256__webli",
    "ViT-SO400M-16-SigLIP2-384__webli",
    "ViT-SO400M-16-SigLIP2-512__webli",
    "XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
    "XLM-Roberta-Large-ViT-H-14__frozen_laion5b_s13b_b90k",
)


def open_clip_name(export: str) -> str:
    """The ARCH/TAG in the last part of an export's name or path; "" if it does not name one.

    The tag must be of a series that open_clip publishes: the name is a promise of equal vectors.
    """
    name = export.rstrip("/").rpartition("/")[2]
    if "__" in name:  # open_clip's normalization of a tag
        arch, _, tag = name.rpartition("__")
        name = f"{arch}__{tag.lower().replace('-', '_')}"
    match = _EXPORT.fullmatch(_ROBERTA.sub(lambda found: found[0].lower(), name))
    if not match or not _ARCHITECTURE.fullmatch(match["arch"]):
        return ""
    return f"{match['arch']}/{match['tag']}"


# rclip publishes the only export of the model that this project calls "clip".
EXPORTS = {open_clip_name(name): f"onnx:immich-app/{name}" for name in _IMMICH} | {
    "ViT-B-32-256/datacomp_s34b_b86k": (
        "onnx:yurijmikhalevich/rclip-models/ViT-B-32-256-datacomp_s34b_b86k"
    )
}
"""The name of a published ONNX export for the name of an open_clip model."""
