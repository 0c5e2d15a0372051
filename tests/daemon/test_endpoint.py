"""What must be equal in a command and its daemon."""

from pathlib import Path

import pytest

from clipsearch.daemon import endpoint


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of packages, the only one that can be imported from."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr("sys.path", [str(folder)])
    return folder


def fingerprint() -> str:
    return endpoint.fingerprint.__wrapped__()


def test_installing_a_package_that_does_not_matter_changes_nothing(site_packages: Path) -> None:
    (site_packages / "numpy-2.0.0.dist-info").mkdir()
    before = fingerprint()
    (site_packages / "requests-3.0.0.dist-info").mkdir()
    (site_packages / "numpy_financial-1.0.dist-info").mkdir()
    (site_packages / "requests").mkdir()
    assert fingerprint() == before


@pytest.mark.parametrize("package", ["numpy-2.1.0", "open_clip_torch-3.2.0", "Pillow-12.0.0"])
def test_another_version_of_a_package_that_matters_changes_it(
    site_packages: Path, package: str
) -> None:
    before = fingerprint()
    (site_packages / f"{package}.dist-info").mkdir()
    assert fingerprint() != before


def test_a_change_of_our_code_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module.py").touch()
    monkeypatch.setattr(endpoint, "_CODE_FOLDERS", [tmp_path])
    before = fingerprint()
    (tmp_path / "notes.txt").touch()
    assert fingerprint() == before
    (tmp_path / "other.py").touch()
    assert fingerprint() != before
