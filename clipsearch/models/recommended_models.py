"""The table of recommended models; importing it loads no model library."""

from dataclasses import dataclass
from typing import Literal

Family = Literal["open_clip", "align", "onnx", "pocket", "plugin"]

ALIGN_REPO = "kakaobrain/align-base"
SEE_PAGE = "see model page"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Facts about a model that are known before it is loaded.

    `name` is its canonical name and `alias` a shorter one; `dim` is the length of its embeddings;
    `parameters` is a count in millions, 0 if nothing is downloaded; `license` is that of the
    weights; `repo` is its repository on the hub, and `tokenizer_repos` are those of its tokenizer.
    """

    name: str
    family: Family
    dim: int
    parameters: float
    license: str
    note: str
    alias: str = ""
    repo: str = ""
    tokenizer_repos: tuple[str, ...] = ()

    @property
    def download_bytes(self) -> int:
        """Size of the weights, which all of these models publish as float32."""
        return round(self.parameters * 4e6)


# Dimensions and repositories are open_clip's own (model_configs, pretrained.py); a test compares
# them with the installed package. Parameters were counted on the built models. Licenses are those
# that the models' pages state.
MODELS = (
    ModelSpec(
        "ViT-B-32-256/datacomp_s34b_b86k",
        "open_clip",
        512,
        151.3,
        "MIT",
        "fast and good; the default if its weights are available",
        alias="clip",
        repo="laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K",
    ),
    ModelSpec(
        "pocket",
        "pocket",
        512,
        0,
        "Apache-2.0",
        "included in clipsearch: no download, fastest, less accurate",
    ),
    ModelSpec(
        "align",
        "align",
        640,
        172.1,
        SEE_PAGE,
        "ALIGN: made for sums of text and image queries",
        repo=ALIGN_REPO,
    ),
    ModelSpec(
        "ViT-B-32/openai",
        "open_clip",
        512,
        151.3,
        SEE_PAGE,
        "the original CLIP",
        repo="timm/vit_base_patch32_clip_224.openai",
    ),
    ModelSpec(
        "ViT-B-32/laion2b_s34b_b79k",
        "open_clip",
        512,
        151.3,
        "MIT",
        "as fast as clip, trained on LAION-2B",
        repo="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    ),
    ModelSpec(
        "ViT-B-16/datacomp_xl_s13b_b90k",
        "open_clip",
        512,
        149.6,
        "MIT",
        "smaller patches: better on small objects, slower",
        repo="laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    ),
    ModelSpec(
        "ViT-L-14/datacomp_xl_s13b_b90k",
        "open_clip",
        768,
        427.6,
        "MIT",
        "much better, needs a GPU",
        repo="laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K",
    ),
    ModelSpec(
        "ViT-H-14/laion2b_s32b_b79k",
        "open_clip",
        1024,
        986.1,
        "MIT",
        "large, trained on LAION-2B",
        repo="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    ),
    ModelSpec(
        "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
        "open_clip",
        512,
        366.1,
        "MIT",
        "multilingual text queries",
        repo="laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        tokenizer_repos=("xlm-roberta-base",),
    ),
    ModelSpec(
        "ViT-B-16-SigLIP/webli",
        "open_clip",
        768,
        203.2,
        "Apache-2.0",
        "SigLIP, English",
        repo="timm/ViT-B-16-SigLIP",
    ),
    ModelSpec(
        "ViT-B-32-SigLIP2-256/webli",
        "open_clip",
        768,
        376.9,
        "Apache-2.0",
        "SigLIP 2, multilingual, fast",
        repo="timm/ViT-B-32-SigLIP2-256",
    ),
    ModelSpec(
        "ViT-B-16-SigLIP2-256/webli",
        "open_clip",
        768,
        375.2,
        "Apache-2.0",
        "SigLIP 2, multilingual",
        repo="timm/ViT-B-16-SigLIP2-256",
    ),
    ModelSpec(
        "ViT-SO400M-16-SigLIP2-384/webli",
        "open_clip",
        1152,
        1136.0,
        "Apache-2.0",
        "SigLIP 2, multilingual, large",
        repo="timm/ViT-SO400M-16-SigLIP2-384",
    ),
    ModelSpec(
        "MobileCLIP2-S2/dfndr2b",
        "open_clip",
        512,
        99.2,
        SEE_PAGE,
        "made for phones: small and fast",
        repo="timm/MobileCLIP2-S2-OpenCLIP",
    ),
)

ALIASES = {spec.alias: spec.name for spec in MODELS if spec.alias}
"""Short names of models."""
