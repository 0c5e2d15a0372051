"""The machine that a benchmark runs on, and the options that limit it: `--isa` and `--cores`.

Speed depends on the instruction set more than on anything else, so every benchmark states it.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clipsearch import cpu

ISAS = {
    "avx2": "AVX2",
    "avx2_vnni": "AVX2_VNNI",
    "avx512": "AVX512_CORE",
    "avx512_vnni": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
    "amx": "AVX512_CORE_AMX",
}
"""The values of `--isa`, and those of the environment variables in `cpu.LIMITS`."""

OPENVINO = (2026, 4, 1)
"""Older versions limit oneDNN only, and then fail or use instructions beyond the limit."""

_READ_AT_IMPORT = ("openvino", "torch")


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add the common options, parse the command line, apply the limits, and print the machine.

    The limits also hold for the processes that the benchmark starts. Call it before OpenVINO or
    torch is imported, since they read the environment once. Exits if the machine lacks what the
    options name.
    """
    group = parser.add_argument_group("limits")
    group.add_argument("--isa", choices=ISAS, help="best instruction set that models may use")
    group.add_argument("--cores", type=int, help="number of processor cores to use")
    parser.add_argument("--result", type=Path, metavar="FILE", help="default: benchmark-….json")
    options = parser.parse_args()
    try:
        if options.isa:
            limit_isa(options.isa)
        if options.cores:
            _limit_cores(options.cores)
    except ValueError as error:
        parser.error(str(error))
    print(cpu.description(), flush=True)
    return options


def limit_isa(isa: str) -> None:
    """Limit OpenVINO and torch, in this process and those that it starts, to a key of ISAS.

    Raises ValueError if the processor lacks it, or if OpenVINO is too old to be limited.
    """
    if loaded := [name for name in _READ_AT_IMPORT if name in sys.modules]:
        raise RuntimeError(f"{loaded[0]} is already imported and would ignore the limit")
    if ("amx_int8" if isa == "amx" else isa) not in cpu.instruction_sets():
        raise ValueError(f"--isa {isa}: this processor lacks it ({cpu.description()})")
    installed = version("openvino")
    if tuple(int(part) for part in installed.split(".")[:3]) < OPENVINO:
        needed = ".".join(map(str, OPENVINO))
        raise ValueError(f"--isa needs OpenVINO {needed} or newer, this is {installed}")
    os.environ |= dict.fromkeys(cpu.LIMITS, ISAS[isa])
    if isa.startswith("avx2"):  # the kernels of torch outside oneDNN, and its matrix products
        os.environ |= {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def _limit_cores(count: int) -> None:
    if not hasattr(os, "sched_setaffinity"):
        raise ValueError("--cores works on Linux only")
    cores = sorted(os.sched_getaffinity(0))
    if not 0 < count <= cpu.available():
        raise ValueError(f"--cores {count}: this machine has {cpu.available()}")
    os.sched_setaffinity(0, cores[:count])


def write_result(
    name: str, options: argparse.Namespace, precisions: Mapping[str, str], **result: Any
) -> None:
    """Print the precision of each model; write it, the machine and the result as JSON.

    The file is that of `--result`, or benchmark-NAME.json with the limits in its name.
    """
    for model, precision in precisions.items():
        print(f"{model}: {precision}")
    limits = [options.isa, options.cores and f"{options.cores}-cores"]
    default = "-".join(filter(None, ["benchmark", name, *limits])) + ".json"
    facts = {
        "machine": cpu.description(),
        "instruction sets": sorted(cpu.instruction_sets()),
        "cores": cpu.available(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "precisions": dict(precisions),
    }
    file = options.result or Path(default)
    file.write_text(json.dumps(facts | result, indent=2) + "\n", encoding="utf-8")
