"""open_clip as its README uses it: the slower side of `benchmarks.speed.gpu`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from clipsearch.models.open_clip import OpenClipEncoder
from clipsearch.types import Pixels, Vectors


class PlainEncoder:
    """The same model behind open_clip's own transform; batches are copied as float32."""

    def __init__(self, encoder: OpenClipEncoder, device: torch.device) -> None:
        self._encoder = encoder
        self._device = device
        config = PreprocessCfg(**encoder.module.visual.preprocess_cfg)
        self._transform = image_transform_v2(config, is_train=False)
        self._use_bf16 = encoder.identity.precision == "bfloat16"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def preprocess(self, image: Image.Image) -> Pixels:
        """Convert to (3, H, W) float32."""
        pixels: Pixels = self._transform(image).numpy()
        return pixels

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Stack, copy, encode and copy back, one after the other."""
        autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=self._use_bf16)
        with torch.inference_mode(), autocast:
            batch = torch.from_numpy(np.stack(pixels)).to(self._device)
            vectors: Vectors = self._encoder.module.encode_image(batch).float().cpu().numpy()
        return vectors
