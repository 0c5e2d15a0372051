"""Small checkpoints with random weights, in the formats of the published models.

The architectures are the published ones with fewer and narrower layers: ViT-B-32 (ViT, causal text
transformer, CLIP's tokenizer), RN50 (ModifiedResNet, QuickGELU), SigLIP (a timm ViT with attention
pooling, a bidirectional text tower, squashed images, its own tokenizer) and ALIGN.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.models.base import Encoder

# huggingface_hub reads this when it is imported, which may be before any fixture.
os.environ["HF_HUB_OFFLINE"] = "1"

PROMPTS = (
    "a dog running on the beach",
    "two people playing tennis",
    "Größe, café & naïve: 50 % off!",
    "砂浜を走る犬",
    "夜の東京タワー",
    "",
    "a very long text " * 40,
)

CLIP_PREPROCESSING = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}
SIGLIP_PREPROCESSING = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


def synthetic_image() -> Image.Image:
    """An image with shapes at every scale, neither square nor symmetric."""
    y, x = np.mgrid[0:301, 0:427].astype(np.float64)
    waves = [np.sin(x / 9 + y / 31), np.cos(x * y / 4000), np.sin(y / 5) * np.cos(x / 50)]
    return Image.fromarray(np.uint8(127.5 + 127.5 * np.stack(waves, axis=-1)))


def vit_b_32(embed_dim: int = 64) -> dict[str, Any]:
    """open_clip's own config of ViT-B-32, made small."""
    config = _config("ViT-B-32", embed_dim)
    config["vision_cfg"] |= {"layers": 2, "width": 128}
    return config


def rn50() -> dict[str, Any]:
    """open_clip's own config of RN50 as OpenAI trained it, made small."""
    config = _config("RN50-quickgelu", 64)
    config["vision_cfg"] |= {"layers": [1, 1, 1, 1], "width": 32}
    return config


def siglip() -> dict[str, Any]:
    """open_clip's own config of ViT-B-16-SigLIP on timm's smallest ViT."""
    config = _config("ViT-B-16-SigLIP", 192)
    config["vision_cfg"]["timm_model_name"] = "vit_tiny_patch16_224"
    config["text_cfg"]["vocab_size"] = 300
    return config


def mobile_clip() -> dict[str, Any]:
    """open_clip's config of MobileCLIP-S1: convolutional, with a bidirectional text tower."""
    config = _config("MobileCLIP-S1", 64)
    config["vision_cfg"] |= {"timm_model_name": "fastvit_t8", "image_size": 64}
    return config


def coca() -> dict[str, Any]:
    """open_clip's own config of coca_ViT-B-32, made small."""
    config = _config("coca_ViT-B-32", 64)
    config["vision_cfg"] |= {"layers": 2, "width": 128, "attn_pooler_heads": 2}
    config["multimodal_cfg"] |= {"layers": 1, "width": 128, "heads": 2, "attn_pooler_heads": 2}
    return config


def xlm_roberta(folder: Path) -> dict[str, Any]:
    """open_clip's own config of xlm-roberta-base-ViT-B-32, made small; `folder` gets the text's."""
    from transformers import XLMRobertaConfig

    config = _config("xlm-roberta-base-ViT-B-32", 64)
    config["vision_cfg"] |= {"layers": 2, "width": 128}
    XLMRobertaConfig(
        vocab_size=300,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=90,
        pad_token_id=0,
    ).save_pretrained(folder)
    names = {"hf_model_name": str(folder), "hf_tokenizer_name": str(folder)}
    config["text_cfg"] = {"hf_pooler_type": "mean_pooler", "hf_model_pretrained": False, **names}
    return config


def _config(architecture: str, embed_dim: int) -> dict[str, Any]:
    import open_clip

    config: dict[str, Any] = deepcopy(open_clip.get_model_config(architecture))
    config["embed_dim"] = embed_dim
    config["text_cfg"] |= {"layers": 2, "width": 128, "heads": 2}
    return config


def save_open_clip(
    folder: Path, config: dict[str, Any], preprocessing: dict[str, Any], *, seed: int = 0
) -> Path:
    """Write a folder for `local-dir:` as open_clip itself publishes models."""
    folder.mkdir(parents=True)
    content = json.dumps({"model_cfg": config, "preprocess_cfg": preprocessing})
    (folder / "open_clip_config.json").write_text(content, encoding="utf-8")
    save_weights(folder / "open_clip_model.safetensors", config, seed=seed)
    if "hf_tokenizer_name" in config["text_cfg"]:
        save_tokenizer(folder)
    return folder


def save_weights(file: Path, config: dict[str, Any], *, seed: int = 0) -> None:
    """Build the model that a config describes and write its random weights."""
    import torch
    from open_clip import CLIP, CoCa, CustomTextCLIP
    from safetensors.torch import save_file

    settings = deepcopy(config)
    custom = settings.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    kind = CoCa if "multimodal_cfg" in config else CustomTextCLIP if custom else CLIP
    torch.manual_seed(seed)
    save_file(kind(**settings).state_dict(), file)


def save_tokenizer(folder: Path) -> None:
    """Write a small SentencePiece tokenizer for the prompts' characters, which appends </s>."""
    from tokenizers import SentencePieceUnigramTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = SentencePieceUnigramTokenizer()
    special = ["<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        PROMPTS, vocab_size=250, show_progress=False, special_tokens=special, unk_token="<unk>"
    )
    tokenizer._tokenizer.post_processor = TemplateProcessing("$A </s>", None, [("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    ).save_pretrained(folder)


def save_align(folder: Path, *, seed: int = 0) -> Path:
    """Write a small AlignModel and its AlignProcessor as `save_pretrained` does."""
    import torch
    from transformers import (
        AlignConfig,
        AlignModel,
        AlignProcessor,
        BertTokenizerFast,
        EfficientNetImageProcessor,
    )

    folder.mkdir(parents=True)
    words = {word for prompt in PROMPTS for word in prompt.lower().split()}
    characters = {character for word in words for character in word}
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words | characters)]
    vocabulary += sorted(f"##{character}" for character in characters)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    images = EfficientNetImageProcessor(
        size={"height": 96, "width": 96},
        crop_size={"height": 80, "width": 80},
        resample=2,
        do_center_crop=True,
        rescale_factor=1 / 127.5,
        rescale_offset=True,
        do_normalize=False,
        include_top=False,
    )
    AlignProcessor(images, BertTokenizerFast.from_pretrained(folder)).save_pretrained(folder)
    config = AlignConfig(
        text_config={
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 128,
        },
        vision_config={
            "image_size": 80,
            "width_coefficient": 1.0,
            "depth_coefficient": 1.0,
            "kernel_sizes": [3, 3, 5],
            "in_channels": [32, 16, 24],
            "out_channels": [16, 24, 40],
            "strides": [1, 2, 2],
            "num_block_repeats": [1, 1, 2],
            "expand_ratios": [1, 6, 6],
            "depthwise_padding": [],
            "hidden_dim": 160,
        },
        projection_dim=40,
    )
    torch.manual_seed(seed)
    model = AlignModel(config)
    for weight in model.parameters():
        if weight.ndim > 1:  # the library's own initial values make all texts and images alike
            torch.nn.init.xavier_normal_(weight, gain=2.0)
    model.save_pretrained(folder)
    return folder


def check_preprocessing_in_threads(encoder: Encoder, shape: tuple[int, ...]) -> None:
    """Preprocessing gives the same pixels, of this shape, in several threads at once."""
    images = [synthetic_image().rotate(angle) for angle in range(0, 360, 30)]
    alone = [encoder.preprocess(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(encoder.preprocess, images * 4))
    assert all(np.array_equal(pixels, alone[i % 12]) for i, pixels in enumerate(together))
    assert alone[0].shape == shape
    assert alone[0].dtype == np.float32
