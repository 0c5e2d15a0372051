"""Ingest jobs: one at a time in a thread of its own, with progress, cancellation and a report."""

import asyncio
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from clipsearch.errors import ClipsearchError
from clipsearch.files.discover import FileSource
from clipsearch.web.engine import Engine
from clipsearch.web.problems import Problem
from ingest.options import IngestOptions
from ingest.report import IngestReport, Tally

log = logging.getLogger("clipsearch")

State: TypeAlias = Literal["running", "finished", "failed", "canceled"]

KEPT_JOBS = 20
"""Jobs that the server remembers."""

SHOWN_FAILURES = 1_000
"""Failures in a job's report; `/v1/failures` has all."""

RATE_SECONDS = 20.0
"""The rate of a job is that of this last part of it."""

CLOSE_SECONDS = 60.0
"""How long a canceled job may take to write what it has embedded."""


class JobCanceledError(Exception):
    """Ends an ingestion from within; what was embedded is written first."""


class IngestJob:
    """An ingestion; it is also the `Progress` that the ingestion advances.

    `version` grows with every change, and by one more when the job ends.
    """

    def __init__(self, paths: Sequence[Path], options: IngestOptions) -> None:
        """Describe a job that starts now."""
        self.id = f"j_{secrets.token_hex(8)}"
        self.paths, self.options = paths, options
        self.state: State = "running"
        self.version = 1
        self.tally = Tally()
        self.total: float | None = None
        self._created = datetime.now(UTC)
        self._started = time.monotonic()
        self._seconds: float | None = None
        self._seen = 0
        self._report: IngestReport | None = None
        self._error: str | None = None
        self._samples = deque([(self._started, 0)])
        self._is_canceled = threading.Event()

    def update(self, n: float) -> None:
        """Count files that were examined; raise JobCanceledError if the job is to end."""
        if self._is_canceled.is_set():
            raise JobCanceledError
        self._seen += int(n)
        self.version += 1
        now = time.monotonic()
        if now - self._samples[-1][0] > RATE_SECONDS / 20:
            self._samples.append((now, self._seen))
        while now - self._samples[0][0] > RATE_SECONDS and len(self._samples) > 2:
            self._samples.popleft()

    def cancel(self) -> None:
        """End the job soon; nothing changes if it has ended."""
        self._is_canceled.set()

    def run(self, engine: Engine) -> None:
        """Ingest; the outcome is the job's state."""
        state: State = "failed"
        try:
            with engine.open_index() as index:
                source = FileSource(self.paths, strict=False)
                self._report = index.ingest_source(
                    source, options=self.options, progress=self, tally=self.tally
                )
            state = "finished"
        except JobCanceledError:
            state = "canceled"
        except ClipsearchError as error:
            self._error = str(error)
        except BaseException:
            log.exception("the ingest job %s failed", self.id)
            self._error = "an unexpected error, see the log of the server"
        finally:
            engine.refresh()
            self._seconds = time.monotonic() - self._started
            self.state = state
            self.version += 1

    def as_json(self) -> dict[str, Any]:
        """Return the job as JSON, see `JobResult`."""
        outcomes, rate = self.tally.outcomes, self._rate()
        left = None if self.total is None else max(0.0, self.total - self._seen)
        seconds = self._seconds
        return {
            "id": self.id,
            "state": self.state,
            "paths": [str(path) for path in self.paths],
            "prune": self.options.prune,
            "created_at": self._created.isoformat(),
            "seconds": time.monotonic() - self._started if seconds is None else seconds,
            "seen": self._seen,
            "total": None if self.total is None else int(self.total),
            "stored": outcomes["stored"],
            "copied": outcomes["copied"],
            "moved": outcomes["moved"],
            "unchanged": outcomes["unchanged"],
            "failed": len(self.tally.failed),
            "rate": rate,
            "eta_seconds": left / rate if rate and left is not None and seconds is None else None,
            "report": None if self._report is None else _report_json(self._report),
            "error": self._error,
        }

    def _rate(self) -> float:
        """Files a second, lately."""
        (first, before) = self._samples[0]
        elapsed = time.monotonic() - first if self._seconds is None else self._seconds
        seen = self._seen - (before if self._seconds is None else 0)
        return seen / elapsed if elapsed > 0 else 0.0


class IngestJobs:
    """The jobs of a server, one of which may run. For one event loop."""

    def __init__(self, engine: Engine) -> None:
        """Run jobs with an Index of their own."""
        self._engine = engine
        self._jobs: OrderedDict[str, IngestJob] = OrderedDict()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> IngestJob | None:
        """The job that runs."""
        newest = next(reversed(self._jobs.values()), None)
        return newest if newest is not None and newest.state == "running" else None

    @property
    def newest_first(self) -> list[IngestJob]:
        """All jobs that are remembered."""
        return list(reversed(self._jobs.values()))

    def start(self, paths: Sequence[Path], options: IngestOptions) -> IngestJob:
        """Start a job; raise Problem 409 if one runs."""
        if (running := self.running) is not None:
            raise Problem(409, f"the ingest job {running.id} is running: wait for it, or cancel it")
        job = IngestJob(paths, options)
        self._jobs[job.id] = job
        while len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        self._thread = threading.Thread(
            target=job.run, args=(self._engine,), name="ingest", daemon=True
        )
        self._thread.start()
        return job

    def get(self, id_: str) -> IngestJob:
        """Return a job; raise Problem 404 if there is none with this id."""
        if id_ not in self._jobs:
            raise Problem(404, f"there is no job {id_}: the last {KEPT_JOBS} are remembered")
        return self._jobs[id_]

    async def close(self) -> None:
        """Cancel the job that runs, and wait until it has written what it has embedded."""
        if self._thread is not None:
            for job in self._jobs.values():
                job.cancel()
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)


def _report_json(report: IngestReport) -> dict[str, Any]:
    values = report.as_json()
    failed = [
        {"path": str(failure.path), "reason": failure.reason}
        for failure in report.failed[:SHOWN_FAILURES]
    ]
    kept = ("removed", "gone", "refused", "skipped")
    return {name: values[name] for name in kept} | {"failures": failed}
