"""EfficientNet-Lite, the pretrained image tower, as a plain torch module.

Tan & Le 2019 ("EfficientNet"), with the changes of its Lite variants: ReLU6, no
squeeze-and-excitation, fixed stem and head. Names are those of the weight files.
"""
# mypy: allow-subclassing-any

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

# (kernel, stride, expansion, channels out, repeats) of each stage of Lite0.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # width, depth
BN_EPS = 1e-3  # the weights were trained in TensorFlow, whose default differs from torch's
HEAD = 1280


class Taps(NamedTuple):
    """Outputs of the tower's stages, (n, channels, height, width) each."""

    second: Tensor
    third: Tensor
    fifth: Tensor
    sixth: Tensor
    seventh: Tensor


def stages(variant: str) -> list[tuple[int, int, int, int, int]]:
    """Return STAGES scaled to a variant: the first and the last keep their number of blocks."""
    width, depth = SCALES[variant]
    scaled = []
    for i, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES):
        wide = max(8, int(channels * width + 4) // 8 * 8)
        wide += 8 * (wide < 0.9 * channels * width)
        fixed = i in (0, len(STAGES) - 1)
        scaled.append(
            (kernel, stride, expansion, wide, repeats if fixed else math.ceil(depth * repeats))
        )
    return scaled


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: the odd pixel goes last."""

    def pads(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the padding (left, right, top, bottom) for an image of this size."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        across, down = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (width, height)
        )
        return (across // 2, across - across // 2, down // 2, down - down // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads(int(x.shape[2]), int(x.shape[3]))))


class Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise kxk, project 1x1, each with batch norm."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        mid = cin * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(cin, mid, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._depthwise_conv = SameConv(mid, mid, kernel, stride, groups=mid, bias=False)
        self._bn1 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._project_conv = nn.Conv2d(mid, cout, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(cout, eps=BN_EPS)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


def first_convolution(stem: SameConv, x: Tensor) -> Tensor:
    """Convolve uint8 images with weights that expect (x - 127) / 128.

    The scaling is folded into the weights, which saves a pass over the image; the padding is 127.
    """
    x = F.pad(x, stem.pads(int(x.shape[2]), int(x.shape[3])), value=127).float()
    shift = stem.weight.sum((1, 2, 3)) * (-127 / 128)
    if stem.bias is not None:
        shift = shift + stem.bias
    return F.conv2d(x, stem.weight / 128, shift, stride=stem.stride)


class EfficientNetLite(nn.Module):
    """uint8 RGB (n, 3, side, side) → taps; `classify` takes the last of them."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        plan = stages(variant)
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BN_EPS)
        blocks, cin = [], 32
        self.ends = []  # the number of blocks up to the end of each stage
        for kernel, stride, expansion, cout, repeats in plan:
            for i in range(repeats):
                blocks.append(Block(cin, cout, kernel, stride if i == 0 else 1, expansion))
                cin = cout
            self.ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(cin, HEAD, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(HEAD, eps=BN_EPS)
        self._fc = nn.Linear(HEAD, 1000)

    def second_tap(self, x: Tensor) -> Tensor:
        """uint8 images → the second tap."""
        x = F.relu6(self._bn0(first_convolution(self._conv_stem, x)))
        for block in self._blocks[: self.ends[1]]:
            x = block(x)
        return x

    def third_tap(self, second: Tensor) -> Tensor:
        """The second tap → the third."""
        x = second
        for block in self._blocks[self.ends[1] : self.ends[2]]:
            x = block(x)
        return x

    def forward(self, x: Tensor) -> Taps:
        return self.later_taps(self.second_tap(x))

    def later_taps(self, second: Tensor) -> Taps:
        """The second tap → all taps."""
        x = third = self.third_tap(second)
        taps = []
        for i, block in enumerate(self._blocks[self.ends[2] :], self.ends[2] + 1):
            x = block(x)
            if i in self.ends:
                taps.append(x)
        return Taps(second, third, *taps[1:])

    def classify(self, last: Tensor) -> tuple[Tensor, Tensor]:
        """The seventh tap → pooled (n, 1280) and logits (n, 1000)."""
        pooled = F.relu6(self._bn1(self._conv_head(last))).mean((2, 3))
        return pooled, self._fc(pooled)


def load_image_tower(variant: str, weights: Mapping[str, Tensor]) -> EfficientNetLite:
    """Build the image tower from its state dict; raise RuntimeError if a name does not fit."""
    tower = EfficientNetLite(variant)
    tower.load_state_dict(dict(weights), strict=True)
    tower.eval().requires_grad_(requires_grad=False)
    return tower
