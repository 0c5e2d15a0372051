"""The released image tower: EfficientNet-Lite0 with a lighter stem.

The published tower spends a third of its time before the second tap, where images are still large:
wide depthwise convolutions at half of the resolution move much memory for little arithmetic. Two
plain convolutions and a residual block are several times cheaper on processors with bfloat16 matrix
multiplication.
"""
# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.image_tower.efficientnet import (
    EfficientNetLite,
    SameConv,
    first_convolution,
    load_image_tower,
)

NARROW, WIDE, FUSED, OUT = 32, 96, 64, 24


class LightStem(nn.Module):
    """uint8 RGB (n, 3, side, side) → the second tap, (n, 24, side / 4, side / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConv(3, NARROW, 3, 2)
        self.second = SameConv(NARROW, WIDE, 3, 2)
        self.project = nn.Conv2d(WIDE, OUT, 1)
        self.widen, self.narrow = SameConv(OUT, FUSED, 3), nn.Conv2d(FUSED, OUT, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(first_convolution(self.first, x))
        x = self.project(F.relu6(self.second(x)))
        out: Tensor = x + self.narrow(F.relu6(self.widen(x)))
        return out


class LightTower(EfficientNetLite):
    """EfficientNet-Lite0 with a LightStem in place of its stem and first two stages."""

    def __init__(self) -> None:
        super().__init__("lite0")
        self.light = LightStem()
        del self._conv_stem, self._bn0
        for place in range(self.ends[1]):
            self._blocks[place] = nn.Identity()

    def second_tap(self, x: Tensor) -> Tensor:
        """uint8 images → the second tap."""
        out: Tensor = self.light(x)
        return out

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters to train first: stem and third stage."""
        parts = [self.light, *self._blocks[self.ends[1] : self.ends[2]]]
        return [weight for part in parts for weight in part.parameters()]

    def later_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of later stages, without the classifier, which stays unchanged."""
        parts = [*self._blocks[self.ends[2] :], self._conv_head, self._bn1]
        return [weight for part in parts for weight in part.parameters()]


@torch.no_grad()
def init_light_tower(weights: Mapping[str, Tensor]) -> LightTower:
    """Initialize a tower: the published first convolution, and a residual block that returns 0."""
    published, tower = load_image_tower("lite0", weights), LightTower()
    tower.load_state_dict(dict(weights), strict=False)
    norm, light = published._bn0, tower.light
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    light.first.weight.copy_(published._conv_stem.weight * gain[:, None, None, None])
    assert light.first.bias is not None
    light.first.bias.copy_(norm.bias - norm.running_mean * gain)
    for layer in (light.second, light.widen):
        nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(light.narrow.weight)
    for layer in (light.second, light.widen, light.narrow, light.project):
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    tower.eval().requires_grad_(requires_grad=False)
    return tower


def load_tower(path: Path) -> LightTower:
    """Load the weights that `image_tower.build` wrote."""
    tower = LightTower()
    tower.load_state_dict(torch.load(path, weights_only=True))
    tower.eval().requires_grad_(requires_grad=False)
    return tower
