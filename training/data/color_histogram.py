"""Color shares by place in an image: information that a classifier discards."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

# RGB values of English's eleven color words as photos show them, light and dark.
PALETTE = (
    *((0, 0, 0), (60, 60, 60), (120, 120, 120), (180, 180, 180), (250, 250, 250)),
    *((200, 30, 30), (110, 20, 25), (240, 130, 120), (250, 140, 30), (150, 90, 40)),
    *((90, 60, 35), (210, 170, 120), (240, 215, 60), (250, 240, 170), (120, 170, 50)),
    *((50, 100, 35), (30, 60, 25), (60, 160, 130), (90, 190, 220), (40, 90, 190)),
    *((20, 30, 90), (150, 190, 235), (110, 50, 140), (230, 110, 180)),
)
SOFTNESS = 1500.0  # squared distance in RGB over which a color's share falls to 1/e
STEP = 8  # every eighth pixel of every eighth row is enough


def color_map(pixels: Tensor, grid: int) -> Tensor:
    """uint8 RGB (n, side, side, 3) → share of each palette color, (n, 24, grid, grid)."""
    points = pixels[:, STEP // 2 :: STEP, STEP // 2 :: STEP].permute(0, 3, 1, 2).float()
    palette = torch.tensor(PALETTE, dtype=torch.float32, device=pixels.device)
    # -|x - p|² without |x|², which cancels in the softmax over p: one 1x1 convolution.
    scores = F.conv2d(points, 2 * palette[:, :, None, None], -palette.pow(2).sum(1))
    return F.avg_pool2d((scores / SOFTNESS).softmax(1), points.shape[2] // grid)
