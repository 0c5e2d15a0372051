"""What each patch of a picture looks like to a CLIP vision transformer, in the space of its texts.

The last layer is what pools a picture, and what it leaves of single patches is known to be about
other places. So it runs without its shortcut and feed-forward part, and its attention compares
queries with queries: each patch then gathers from those that are like it (Lan et al. 2024,
"ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference", section 3).
"""

from typing import Any

import torch
from torch.nn import MultiheadAttention
from torch.nn.functional import linear, scaled_dot_product_attention


def has_patches(visual: torch.nn.Module) -> bool:
    """Whether an image tower is a vision transformer whose last layer can be run that way."""
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if not blocks or getattr(visual, "proj", None) is None:
        return False  # a convolutional network, or timm's transformer
    attention = getattr(blocks[-1], "attn", None)
    return (
        isinstance(attention, MultiheadAttention)
        and attention.in_proj_weight is not None
        and bool(visual.transformer.batch_first)
        and getattr(visual, "attn_pool", None) is None
    )


def patches(visual: Any, image: torch.Tensor) -> torch.Tensor:
    """(n, 3, height, width) preprocessed pictures as (n, rows, columns, d), of any length."""
    x = visual._embeds(image)  # (n, 1 + patches, width), the class token first
    *layers, last = visual.transformer.resblocks
    for layer in layers:
        x = layer(x)
    x = visual.ln_post(_gathered(last.attn, last.ln_1(x)))[:, 1:] @ visual.proj
    rows, columns = visual.grid_size
    return x.reshape(len(x), rows, columns, x.shape[-1])


def _gathered(attention: MultiheadAttention, x: torch.Tensor) -> torch.Tensor:
    """Attention of queries to queries."""
    n, length, width = x.shape
    parts = linear(x, attention.in_proj_weight, attention.in_proj_bias)
    query, _, value = parts.reshape(n, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    mixed = scaled_dot_product_attention(query, query, value)  # (n, heads, length, width / heads)
    return attention.out_proj(mixed.transpose(1, 2).reshape(n, length, width))
