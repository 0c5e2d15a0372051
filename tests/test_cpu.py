"""The number of cores available to a process, and the instruction sets of the processor."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipsearch import cpu


@pytest.fixture
def cgroup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A fake control group on a machine with eight cores."""
    monkeypatch.setattr(cpu, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def test_without_a_limit_the_cores_of_the_affinity_count(cgroup: Path) -> None:
    assert cpu.available() == 8


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("9900000 100000", 8),
        ("nonsense", 8),
        ("100000 0", 8),
    ],
)
def test_a_container_counts_by_its_quota(cgroup: Path, limit: str, expected: int) -> None:
    (cgroup / "cpu.max").write_text(f"{limit}\n")
    assert cpu.available() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3)])
def test_the_older_control_groups_count_too(cgroup: Path, quota: str, expected: int) -> None:
    (cgroup / "cpu").mkdir()
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu.available() == expected


XEON = "avx avx2 avx512f avx512dq avx512bw avx512vl avx_vnni avx512_bf16 avx512_vnni avx512_fp16"
MAC = """\
machdep.cpu.brand_string: Apple M2
hw.optional.neon: 1
hw.optional.AdvSIMD: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 0
"""


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Pretends to have a processor with these flags, on Linux with two cores."""

    def pretend(flags: str, field: str = "flags", name: str = "model name\t: A  Processor") -> None:
        block = f"processor\t: 0\n{name}\n{field}\t\t: {flags}\n\n"
        (tmp_path / "cpuinfo").write_text(block + "processor\t: 1\nflags\t: never_read\n")
        cpu._processor.cache_clear()

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "machine")
    monkeypatch.setattr(cpu, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(cpu, "available", lambda: 2)
    for variable in cpu.LIMITS:
        monkeypatch.delenv(variable, raising=False)
    cpu._processor.cache_clear()
    yield pretend
    cpu._processor.cache_clear()


@pytest.mark.parametrize(
    ("flags", "field", "expected"),
    [
        (f"{XEON} amx_tile amx_int8 amx_bf16", "flags", "AMX"),
        (XEON, "flags", "AVX-512 with VNNI and BF16"),
        ("avx2 avx512bw", "flags", "AVX-512"),
        ("avx2 avx_vnni", "flags", "AVX2 with VNNI"),
        ("avx2", "flags", "AVX2"),
        ("fp asimd asimddp i8mm bf16", "Features", "NEON with dot product, I8MM and BF16"),
        ("sse4_2", "flags", "machine"),
    ],
)
def test_the_description_names_the_best_instruction_set(
    processor: Callable[..., None], flags: str, field: str, expected: str
) -> None:
    processor(flags, field)
    assert cpu.description() == f"A Processor, {expected}, 2 cores"


def test_without_a_name_the_machine_is_named(
    processor: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "available", lambda: 1)
    assert cpu.description() == "machine, machine, 1 core"  # cpuinfo does not exist
    processor("asimd", "Features", name="BogoMIPS\t: 50.00")
    assert cpu.description() == "machine, NEON, 1 core"


@pytest.mark.parametrize("variable", cpu.LIMITS)
def test_the_environment_limits_the_instruction_sets(
    processor: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    processor(f"{XEON} amx_int8 amx_bf16")
    everything = cpu.instruction_sets()
    monkeypatch.setenv(variable, "AVX512_CORE_VNNI")
    assert cpu.instruction_sets() == {"avx2", "avx512", "avx512_vnni"}
    assert cpu.description() == "A Processor limited to AVX-512 with VNNI, 2 cores"
    monkeypatch.setenv(variable, "avx2")
    assert cpu.instruction_sets() == {"avx2"}
    monkeypatch.setenv(variable, "AVX512_CORE_AMX")
    assert cpu.instruction_sets() == everything


def test_macos_names_its_features_differently() -> None:
    name, sets = cpu._parse_sysctl(MAC)
    assert name == "Apple M2"
    assert sets == {"neon", "neon_dotprod", "neon_i8mm"}
    intel = "machdep.cpu.leaf7_features: RDWRFSGS AVX2 AVX512BW AVX512VNNI\n"
    assert cpu._parse_sysctl(intel)[1] == {"avx2", "avx512", "avx512_vnni"}
