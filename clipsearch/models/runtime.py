"""Where a model computes, with which library and in which precision; cheap to ask."""

import ctypes
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Self, TypedDict

from clipsearch import config
from clipsearch.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
RUNTIMES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")


class RuntimeOptions(TypedDict):
    """The keyword arguments of `Runtime` and `Index.open`."""

    device: str
    runtime: str
    precision: str


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where a model computes, with which library and in which precision.

    `device` is one of DEVICES or another device of torch (cuda:1), `runtime` one of RUNTIMES and
    `precision` one of PRECISIONS. "auto" leaves the choice to the machine and the model. Raises
    UsageError on an unknown value or a contradiction.
    """

    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("runtime", self.runtime, RUNTIMES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                raise UsageError(f"{name} {value!r} is not known: choose {', '.join(known)}")
        elsewhere = self.device not in ("auto", "cpu")
        if elsewhere and self.runtime == "openvino":
            raise UsageError(
                f"OpenVINO runs on the CPU, not on {self.device}: leave one of them out"
            )
        if self.precision == "int8" and (elsewhere or self.runtime == "torch"):
            raise UsageError("int8 is for OpenVINO on the CPU only: take bf16, or leave it to auto")

    @classmethod
    def from_options(
        cls, device: str = "auto", runtime: str | None = None, precision: str | None = None
    ) -> Self:
        """Options with the user's defaults, CLIPSEARCH_RUNTIME and CLIPSEARCH_PRECISION, for None."""
        return cls(
            device,
            config.default_runtime() if runtime is None else runtime,
            config.default_precision() if precision is None else precision,
        )

    def options(self) -> RuntimeOptions:
        """The keyword arguments for `Index.open`."""
        return {"device": self.device, "runtime": self.runtime, "precision": self.precision}

    @property
    def on_openvino(self) -> bool:
        """OpenVINO on CPUs, torch where there is a graphics processor that it can use."""
        if self.runtime != "auto":
            return self.runtime == "openvino"
        if self.precision == "int8":
            return True
        return self.device == "cpu" or (self.device == "auto" and not has_gpu())


@cache
def has_gpu() -> bool:
    """Whether torch would compute on CUDA or MPS, found out without the seconds of importing it."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    package = find_spec("torch")
    if package is None or not package.submodule_search_locations:
        return False
    try:
        build = Path(package.submodule_search_locations[0], "version.py").read_text("utf-8")
    except OSError:
        return False
    if re.search(r"^hip\b.*=\s*['\"]", build, re.MULTILINE):  # AMD's way to CUDA
        return Path("/dev/kfd").exists()
    return bool(re.search(r"^cuda\b.*=\s*['\"]", build, re.MULTILINE)) and _cuda_devices() > 0


def _cuda_devices() -> int:
    """How many devices the driver offers; it honours CUDA_VISIBLE_DEVICES as torch does."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):  # no driver
        pass
    return 0
