"""After a crash of the process, the next run decodes what was being decoded apart."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.files import decoding_journal
from clipsearch.files.decoding_journal import SLOTS, DecodingJournal
from tests.helpers.fakes import draw

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")


def name(number: int) -> str:
    return f"{number:032x}"


def begin_and_die(folder: Path) -> None:
    """Decode 1, 2 and 3, of which 2 is finished when the process is killed."""
    journal = DecodingJournal(folder)
    blocks = [journal.note(name(number)) for number in (1, 2, 3)]
    for block in blocks:
        block.__enter__()
    blocks[1].__exit__(None, None, None)
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_another_process(folder: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=begin_and_die, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_what_a_killed_process_decoded_is_suspect_until_it_is_decoded(tmp_path: Path) -> None:
    die_in_another_process(tmp_path)
    journal = DecodingJournal(tmp_path)
    assert {content.hex() for content in journal.suspects} == {name(1), name(3)}
    with journal.note(name(2)) as is_suspect:
        assert not is_suspect
    suspect = journal.note(name(1))
    assert suspect.__enter__()
    suspect.__exit__(None, None, None)
    journal.close()
    later = DecodingJournal(tmp_path)
    assert {content.hex() for content in later.suspects} == {name(3)}
    with later.note(name(3)) as is_suspect:
        assert is_suspect
    later.close()
    assert list(tmp_path.iterdir()) == []


def test_the_journal_of_a_running_process_is_left_alone(tmp_path: Path) -> None:
    running = DecodingJournal(tmp_path)
    with running.note(name(1)):
        other = DecodingJournal(tmp_path)
        assert other.suspects == {}
        other.close()
        assert len(list(tmp_path.iterdir())) == 1
    running.close()


def test_more_suspects_than_slots_cost_nothing(tmp_path: Path) -> None:
    for start in (0, SLOTS):
        content = b"".join(bytes.fromhex(name(start + number + 1)) for number in range(SLOTS))
        (tmp_path / f"{start}.journal").write_bytes(content)
    journal = DecodingJournal(tmp_path)
    assert len(journal.suspects) == 2 * SLOTS
    with journal.note(name(10 * SLOTS)) as is_suspect:
        assert not is_suspect
    for number in range(2 * SLOTS):
        with journal.note(name(number + 1)) as is_suspect:
            assert is_suspect
    journal.close()
    assert list(tmp_path.iterdir()) == []


STUB = """
import signal, sys
from clipsearch.images import decoder_pool
from clipsearch.images.openers import OPENERS
png = OPENERS["png"]
def open_png(stream):
    if b"crash" in stream.read():
        signal.raise_signal(signal.SIGSEGV)
    stream.seek(0)
    return png(stream)
OPENERS["png"] = open_png
decoder_pool.COMMAND = [sys.executable, "-c", sys.argv[1], sys.argv[1]]
if len(sys.argv) > 2:
    from clipsearch.cli.main import main
    main(sys.argv[2:])
else:
    from clipsearch.images.decoder_process import main
    main()
"""


def test_the_run_after_a_crash_names_the_image_and_stores_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        draw(tmp_path / "images" / f"{number:02}.png", (number, 99, 99))
    with (tmp_path / "images" / "05.png").open("ab") as file:
        file.write(b"crash")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "images.db"))

    def ingest() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", STUB, STUB, "ingest", str(tmp_path / "images")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ingest().returncode == -signal.SIGSEGV
    second = ingest()
    assert second.returncode == 3, second.stderr
    assert "05.png: the decoder crashed (signal 11, SIGSEGV)" in second.stderr
    assert "11 stored, 1 failed" in second.stderr
    assert "an earlier run ended while it decoded images" in second.stderr
    third = ingest()
    assert "11 unchanged, 1 failed" in third.stderr
    assert "an earlier run" not in third.stderr
    assert list((tmp_path / "cache" / "decoding").iterdir()) == []


def test_without_a_cache_folder_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    decoding_journal._open_journal.cache_clear()
    try:
        with decoding_journal.note_decoding(name(1)) as is_suspect:
            assert not is_suspect
    finally:
        decoding_journal._open_journal.cache_clear()
