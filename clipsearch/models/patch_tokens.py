"""Embeddings of single patches from a CLIP vision transformer, in the space of its texts.

The last layer of the tower mixes information of other places into each patch. So it runs without
its residual connection and feed-forward part, and its attention compares queries with queries: each
patch then collects from patches that are similar to it (Lan et al. 2024, "ClearCLIP: Decomposing
CLIP Representations for Dense Vision-Language Inference", section 3).
"""

from typing import Any

import torch
from torch.nn import MultiheadAttention
from torch.nn.functional import linear, scaled_dot_product_attention


def has_patches(visual: torch.nn.Module) -> bool:
    """Whether an image tower is a vision transformer whose last layer can run this way."""
    blocks: Any = getattr(getattr(visual, "transformer", None), "resblocks", ())
    if len(blocks) < 2 or getattr(visual, "proj", None) is None:
        return False  # a convolutional network, or timm's transformer
    attention = getattr(blocks[-1], "attn", None)
    return (
        isinstance(attention, MultiheadAttention)
        and attention.in_proj_weight is not None
        and bool(visual.transformer.batch_first)
        and getattr(visual, "attn_pool", None) is None
    )


def encode_patches(visual: Any, images: torch.Tensor) -> torch.Tensor:
    """(n, 3, height, width) preprocessed images as (n, rows, columns, d), of any length."""
    blocks = visual.transformer.resblocks
    features = visual.forward_intermediates(
        images,
        indices=[len(blocks) - 2],
        stop_early=True,
        intermediates_only=True,
        output_fmt="NLC",
        output_extra_tokens=True,
    )
    # (n, 1 + patches, width), the class token first
    parts = (features["image_intermediates_prefix"][0], features["image_intermediates"][0])
    last = blocks[-1]
    x = visual.ln_post(_attend(last.attn, last.ln_1(torch.cat(parts, 1))))[:, 1:] @ visual.proj
    rows, columns = visual.grid_size
    return x.reshape(len(x), rows, columns, x.shape[-1])


def _attend(attention: MultiheadAttention, x: torch.Tensor) -> torch.Tensor:
    """Attention of queries to queries."""
    n, length, width = x.shape
    parts = linear(x, attention.in_proj_weight, attention.in_proj_bias)
    query, _, value = parts.reshape(n, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    mixed = scaled_dot_product_attention(query, query, value)  # (n, heads, length, width / heads)
    return attention.out_proj(mixed.transpose(1, 2).reshape(n, length, width))
