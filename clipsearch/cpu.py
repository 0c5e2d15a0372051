"""The processor: the cores available to this process, and the instruction sets of the runtime."""

import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPUINFO = Path("/proc/cpuinfo")

# Names of Linux (x86-64, then Arm), of macOS, and ours. Every processor with AVX512BW has the other
# parts that runtimes need of AVX-512.
_FLAGS = {
    "avx2": "avx2",
    "avx_vnni": "avx2_vnni",
    "avx512bw": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16",
    "asimd": "neon",
    "asimddp": "neon_dotprod",
    "i8mm": "neon_i8mm",
    "bf16": "neon_bf16",
    "sve": "sve",
    "avx2_0": "avx2",
    "avx512vnni": "avx512_vnni",
    "advsimd": "neon",
    "dotprod": "neon_dotprod",
}

LIMITS = ("ONEDNN_MAX_CPU_ISA", "OV_CPU_MAX_ISA")
"""Environment variables that limit oneDNN and the other kernels of OpenVINO (2026.4.1 or newer)."""

_AVX2 = frozenset({"avx2"})
_AVX512 = _AVX2 | {"avx512"}
_BF16 = _AVX512 | {"avx512_vnni", "avx512_bf16"}
_FP16 = _BF16 | {"avx512_fp16"}
_LIMITED_TO: Mapping[str, frozenset[str]] = {
    "SSE41": frozenset(),
    "AVX": frozenset(),
    "AVX2": _AVX2,
    "AVX2_VNNI": _AVX2 | {"avx2_vnni"},
    "AVX2_VNNI_2": _AVX2 | {"avx2_vnni"},
    "AVX512_CORE": _AVX512,
    "AVX512_CORE_VNNI": _AVX512 | {"avx512_vnni"},
    "AVX512_CORE_BF16": _BF16,
    "AVX512_CORE_FP16": _FP16,
    "AVX10_1_512": _FP16,
}
"""What the values of the environment variables permit; others do not limit anything of `_FLAGS`."""

# From the best to the least: a set, its name, and additions to it.
_LEVELS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("amx_int8", "AMX", {}),
    ("avx512", "AVX-512", {"avx512_vnni": "VNNI", "avx512_bf16": "BF16"}),
    ("avx2", "AVX2", {"avx2_vnni": "VNNI"}),
    ("neon", "NEON", {"neon_dotprod": "dot product", "neon_i8mm": "I8MM", "neon_bf16": "BF16"}),
)


_limit = math.inf


def limit(cores: int) -> None:
    """Let this process use at most so many cores, as others like it run on this machine."""
    global _limit
    _limit = cores


def available() -> int:
    """Return the cores by CPU affinity and container quota (cgroups v2 and v1); at least 1.

    Never more than `limit`.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota(_CGROUP), _limit)))


def instruction_sets() -> frozenset[str]:
    """Return the instruction sets that the runtime may use, of those that matter for models.

    They are "avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8",
    "amx_bf16", "neon", "neon_dotprod", "neon_i8mm", "neon_bf16" and "sve", if the processor has
    them and the environment variables in `LIMITS` permit them. Windows tells only some of them.
    """
    _, supported = _processor()
    for variable in LIMITS:
        value = os.environ.get(variable, "").upper()
        supported &= _LIMITED_TO.get(value, supported)
    return supported


def is_limited() -> bool:
    """Return whether the environment limits the instruction sets."""
    return any(os.environ.get(variable) for variable in LIMITS)


def description() -> str:
    """Name the processor, its instruction set and the cores: `AMD EPYC, AVX2 with VNNI, 2 cores`.

    If the environment limits the instruction set: `AMD EPYC limited to AVX2, 2 cores`.
    """
    name, supported = _processor()
    sets, cores = instruction_sets(), available()
    separator = "," if sets == supported else " limited to"
    return f"{name}{separator} {_level(sets)}, {cores} core{'s' * (cores != 1)}"


def _level(sets: frozenset[str]) -> str:
    for required, level, additions in _LEVELS:
        if required in sets:
            found = [title for name, title in additions.items() if name in sets]
            return " with ".join([level, *filter(None, [_enumerate(found)])])
    return platform.machine() or "unknown"


def _enumerate(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


@cache
def _processor() -> tuple[str, frozenset[str]]:
    """The name of the processor and what it supports."""
    if sys.platform == "darwin":
        return _parse_sysctl(_sysctl())
    if sys.platform == "win32":
        import ctypes

        has = ctypes.windll.kernel32.IsProcessorFeaturePresent
        numbers = {40: "avx2", 41: "avx512", 19: "neon", 43: "neon_dotprod"}
        return _named(platform.processor(), (name for n, name in numbers.items() if has(n)))
    try:
        with _CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            return _parse_cpuinfo(lines)
    except OSError:
        return _named("", ())


def _parse_cpuinfo(lines: Iterable[str]) -> tuple[str, frozenset[str]]:
    """Read the first processor; all others are much the same, and there may be hundreds."""
    fields: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon:
            break
        fields[key.strip()] = value.strip()
    flags = fields.get("flags") or fields.get("Features") or ""
    return _named(fields.get("model name", ""), _translate(flags.split()))


def _sysctl() -> str:
    import subprocess  # needed on macOS only

    command = ["sysctl", "machdep.cpu", "hw.optional"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _parse_sysctl(output: str) -> tuple[str, frozenset[str]]:
    fields = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    flags = [key.rpartition(".")[2].lower() for key, value in fields.items() if value == "1"]
    flags += fields.get("machdep.cpu.leaf7_features", "").lower().split()
    name = fields.get("machdep.cpu.brand_string", "")
    return _named(name, _translate(flag.removeprefix("feat_") for flag in flags))


def _translate(flags: Iterable[str]) -> Iterable[str]:
    return (_FLAGS[flag] for flag in flags if flag in _FLAGS)


def _named(name: str, sets: Iterable[str]) -> tuple[str, frozenset[str]]:
    return " ".join(name.split()) or platform.machine() or "unknown processor", frozenset(sets)


def _quota(folder: Path) -> float:
    """Return the cores granted by a control group; infinite if there is no limit."""
    try:
        if (limits := folder / "cpu.max").is_file():
            quota, period = limits.read_text("ascii").split()
        else:
            quota, period = (
                (folder / "cpu" / f"cpu.cfs_{name}_us").read_text("ascii").strip()
                for name in ("quota", "period")
            )
        granted = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such file
        return math.inf
    return granted if granted > 0 else math.inf  # -1 means no limit
