"""Encoders that end their own process once, as a lack of memory would."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from clipsearch.types import Pixels, Vectors
from tests.helpers.fakes import ColorEncoder


class MortalEncoder(ColorEncoder):
    """Kills the process that first reaches a stage; `marks` are the stages, in `folder`."""

    def __init__(self, folder: Path, *stages: str) -> None:
        super().__init__(name="mortal")
        self._folder = folder
        for stage in stages:
            (folder / stage).touch()

    def preprocess(self, image: Image.Image) -> Pixels:
        self._die("load")
        return super().preprocess(image)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self._die("encode")
        return super().encode_images(pixels)

    def died(self, stage: str) -> bool:
        return (self._folder / f"{stage}.dead").exists()

    def _die(self, stage: str) -> None:
        try:
            (self._folder / stage).rename(self._folder / f"{stage}.dead")
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
