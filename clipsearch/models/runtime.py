"""The runtime of a model: device, library and precision."""

import logging
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Self, TypedDict

from clipsearch import config
from clipsearch.errors import ModelError, UsageError

log = logging.getLogger("clipsearch")

DEVICES = ("auto", "cpu", "cuda", "mps")
RUNTIMES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")

TORCH_EXTRA = "pip install 'clipsearch[torch]'"


class RuntimeOptions(TypedDict):
    """The keyword arguments of `Runtime` and `Index.open`."""

    device: str
    runtime: str
    precision: str


@dataclass(frozen=True, slots=True)
class Runtime:
    """Device, library and precision of a model; "auto" leaves the choice to clipsearch.

    `device` is one of DEVICES or another device of torch (cuda:1), `runtime` one of RUNTIMES and
    `precision` one of PRECISIONS. Raises UsageError on an unknown value or a contradiction.
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
        on_gpu = self.device not in ("auto", "cpu")
        if on_gpu and self.runtime == "openvino":
            raise UsageError(
                f"OpenVINO runs on the CPU, not on {self.device}: omit the device or the runtime"
            )
        if self.precision == "int8" and (on_gpu or self.runtime == "torch"):
            raise UsageError("int8 is for OpenVINO on the CPU only: use bf16 or auto")

    @classmethod
    def from_options(
        cls, device: str = "auto", runtime: str | None = None, precision: str | None = None
    ) -> Self:
        """Build from options; None means CLIPSEARCH_RUNTIME or CLIPSEARCH_PRECISION."""
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
        """Whether the model runs on OpenVINO: by default on CPUs; GPUs use torch."""
        if self.runtime != "auto":
            return self.runtime == "openvino"
        if self.precision == "int8":
            return True
        return self.device == "cpu" or (self.device == "auto" and not has_gpu())


def log_ignored_options(model: str, runtime: Runtime) -> None:
    """Say which options the embedded model ignores; settings for all models cause no message."""
    if model != "pocket":
        return
    if runtime.precision not in ("auto", config.default_precision()):
        log.info("model pocket has a fixed precision: %s is ignored", runtime.precision)
    if runtime.runtime == "torch" != config.default_runtime():
        log.info("model pocket always runs on OpenVINO: torch is ignored")


def has_torch() -> bool:
    """Whether the packages of the extra `torch` are installed; imports none of them."""
    return all(find_spec(name) for name in ("torch", "open_clip", "transformers"))


def require_torch(what: str) -> None:
    """Raise ModelError with the command to run if the extra `torch` is not installed.

    `what` is the subject of the message, such as "distillation" or "model clip".
    """
    if not has_torch():
        raise ModelError(f"{what} needs PyTorch: {TORCH_EXTRA}")


@cache
def has_gpu() -> bool:
    """Whether torch would use CUDA or MPS; avoids importing torch, which takes seconds."""
    package = find_spec("torch")
    if package is None or not package.submodule_search_locations:
        return False
    if sys.platform == "darwin":
        import platform  # not needed elsewhere

        return platform.machine() == "arm64"
    try:
        build = Path(package.submodule_search_locations[0], "version.py").read_text("utf-8")
    except OSError:
        return False
    if re.search(r"^hip\b.*=\s*['\"]", build, re.MULTILINE):  # ROCm, AMD's form of CUDA
        return Path("/dev/kfd").exists()
    return bool(re.search(r"^cuda\b.*=\s*['\"]", build, re.MULTILINE)) and _cuda_devices() > 0


def _cuda_devices() -> int:
    """The number of devices of the driver, which respects CUDA_VISIBLE_DEVICES as torch does."""
    import ctypes  # 3 ms

    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):  # no driver
        pass
    return 0
