"""The number of cores available to a process."""

import os
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
