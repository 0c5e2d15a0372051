"""`clipsearch doctor` finds what is broken, says what to do, and changes nothing."""

import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipsearch.abandoned import lock_folder
from clipsearch.doctor import packages, stores, system
from clipsearch.doctor.finding import Finding, run_checks
from clipsearch.errors import StoreError
from clipsearch.models.pocket import encoder
from clipsearch.store.milvus_lite.lock import FileLock
from tests.helpers.commands import Done, Run

Findings = list[Finding]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the packages in another process takes a second."""
    monkeypatch.setattr(packages, "IMPORTED", ("json",))


def findings(done: Done) -> Findings:
    return [Finding(**json.loads(line)) for line in done.stdout.splitlines()]


def problems(done: Done) -> dict[str, str]:
    """The messages of errors and warnings by check."""
    found: defaultdict[str, str] = defaultdict(str)
    for finding in findings(done):
        if finding.level != "ok":
            found[finding.check] += f"{finding.message}\n"
    return found


def errors(done: Done) -> set[str]:
    return {f.check for f in findings(done) if f.level == "error"}


def store() -> Path:
    return Path(os.environ["CLIPSEARCH_URI"])


def test_a_sound_installation_has_no_errors(ingested: Run) -> None:
    done = ingested("doctor", "--json")
    assert (done.returncode, errors(done)) == (0, set())
    found = {(f.check, f.message) for f in findings(done)}
    assert ("store", "images: 3 images by pocket") in found
    assert {check for check, _ in found} >= {"python", "packages", "processor", "disk", "daemon"}


def test_it_changes_nothing(ingested: Run, tmp_path: Path) -> None:
    def state() -> dict[Path, str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = state()
    ingested("doctor")
    assert state() == before


def test_without_a_store_none_is_made(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0
    assert "`clipsearch ingest FOLDER` makes it" in done.stdout
    assert not store().exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("uri = [", "not valid TOML"),
        ("colour = 3", "unknown key"),
        ("[query]\nlimitt = 3", "no option of `clipsearch query`"),
        ("[ingest]\nprune = 'maybe'", "must be true or false"),
    ],
)
def test_a_damaged_configuration_is_an_error(
    content: str, expected: str, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(content)
    done = run("doctor", "--json", CLIPSEARCH_CONFIG=str(file))
    assert done.returncode == 1
    assert expected in problems(done)["settings"]


def test_settings_that_cannot_work_are_errors(run: Run) -> None:
    done = run("doctor", "--json", CLIPSEARCH_PRECISION="fp99", CLIPSEARCH_URI="images.sqlite")
    assert errors(done) == {"runtime", "store"}


def test_a_mistyped_variable_is_a_warning(run: Run) -> None:
    done = run("doctor", "--json", CLIPSEARCH_PRECISON="int8")
    assert (done.returncode, errors(done)) == (0, set())
    assert problems(done)["settings"] == "CLIPSEARCH_PRECISON has no effect\n"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def overwrite(path: Path) -> None:
    path.write_text("not a database")


def lose_rows(path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM images")
        connection.commit()


@pytest.mark.parametrize("damage", [truncate, overwrite, lose_rows])
def test_a_damaged_store_is_an_error(damage: Callable[[Path], None], ingested: Run) -> None:
    damage(store())
    content = store().read_bytes()
    done = ingested("doctor", "--json")
    assert (done.returncode, errors(done)) == (1, {"store"})
    assert store().read_bytes() == content


def test_an_interrupted_write_is_not_touched(ingested: Run) -> None:
    journal = store().with_name(f"{store().name}-journal")
    journal.write_bytes(b"unfinished")
    done = ingested("doctor", "--json")
    assert "a write was interrupted" in problems(done)["store"]
    assert journal.read_bytes() == b"unfinished"


@pytest.mark.skipif(sys.platform == "win32", reason="Milvus Lite 3 has no lock file")
def test_a_store_that_another_process_has_open_is_a_warning(
    ingested: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.store.milvus_lite.lock.WAIT_SECONDS", 0.05)
    lock = FileLock(store().with_name(f".{store().name}.lock"), store())
    try:
        done = ingested("doctor", "--json")
    finally:
        lock.release()
    assert errors(done) == set()
    assert "is open in another process" in problems(done)["store"]


def test_missing_folders_are_named(ingested: Run, image_folder: Path) -> None:
    image_folder.rename(image_folder.with_name("elsewhere"))
    assert str(image_folder) in problems(ingested("doctor", "--json"))["store"]


def test_missing_weights_are_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(encoder, "WEIGHTS", tmp_path)
    assert errors(run("doctor", "--json")) == {"models"}


def test_the_imports_send_no_usage_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "IMPORTED", ("openvino",))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [finding.level for finding in packages.check_imports()] == ["ok"]
    assert not list(tmp_path.iterdir())  # where OpenVINO's telemetry keeps the id of its user


@pytest.mark.parametrize("code", ["raise ImportError('no such symbol')", "import os; os.abort()"])
def test_a_package_that_does_not_load_is_named(
    code: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_wheel.py").write_text(code)
    monkeypatch.setattr(packages, "IMPORTED", ("json", "broken_wheel"))
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert problems(done)["imports"].startswith("broken_wheel does not load: ")


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        (["click>=99"], "click>=99: version "),
        (["no-such-package>=1"], "no-such-package>=1: not installed"),
        (["click>=8", "no-such-package; extra == 'demo'"], None),
        (["no-such-package; sys_platform == 'plan9'"], None),
    ],
)
def test_packages_are_compared_with_the_requirements(
    requirements: list[str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: requirements)
    wrong = [f.message for f in packages.check_packages() if f.level == "error"]
    assert len(wrong) == (expected is not None)
    assert all(message.startswith(expected or "") for message in wrong)


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(system, "NO_SPACE", 1 << 60)
    monkeypatch.setattr(system, "LITTLE_SPACE", 1 << 61)
    assert {f.level for f in system.check_disks(tmp_path / "a" / "b.db")} == {"error"}


def test_unfinished_conversions_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path))
    left = tmp_path / "models" / ".new-killed"
    left.mkdir(parents=True)
    lock = lock_folder(left)
    assert lock is not None
    assert [f.level for f in stores.check_cache()] == ["ok"]  # it is still being written
    os.close(lock)
    [finding] = stores.check_cache()
    assert finding.level == "warning"
    assert ".new-killed" in finding.message


def test_proxies_are_shown_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = list(system.check_network("http://milvus.example:19530"))
    assert [f.level for f in found] == ["ok", "warning"]
    assert "secret" not in str(found)
    monkeypatch.setenv("no_proxy", "localhost,.example")
    assert [f.level for f in system.check_network("http://milvus.example:19530")] == ["ok"]


def test_no_check_stops_the_others() -> None:
    def hang() -> Iterator[Finding]:
        yield Finding("slow", "ok", "begun")
        time.sleep(60)

    def fail() -> Iterator[Finding]:
        raise ZeroDivisionError("by zero")

    def refuse() -> Iterator[Finding]:
        raise StoreError("no store")

    def work() -> Iterator[Finding]:
        yield Finding("last", "ok", "done")

    checks = {"slow": hang, "fail": fail, "refuse": refuse, "last": work}
    found = list(run_checks(checks, seconds=0.2))
    assert [f.check for f in found] == ["slow", "slow", "fail", "refuse", "last"]
    assert [f.level for f in found] == ["ok", "error", "error", "error", "ok"]
