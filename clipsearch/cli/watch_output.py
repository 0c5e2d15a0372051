"""What `watch` prints: one line for each run that changed something."""

import json
import time
from dataclasses import replace

import click

from clipsearch.cli.failures import show_failures
from clipsearch.escape import escape_control
from clipsearch.types import Failure
from ingest.ocr.report import ReadReport
from ingest.report import IngestReport


class WatchOutput:
    """One line for each run that changed something, and each message once."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        self._quiet = quiet
        self._as_json = as_json
        self._failed: frozenset[Failure] = frozenset()
        self._unread: frozenset[Failure] = frozenset()
        self._refused: tuple[str, ...] = ()
        self._trouble = ""
        self._is_first = True

    @property
    def shows_progress(self) -> bool:
        """Whether the next run has a progress bar: the first may take long."""
        return self._is_first and not self._quiet

    def report(self, report: IngestReport | None) -> None:
        """Print what a run changed, the failures and the warnings that are new.

        None stands for a run that found no image for a new collection.
        """
        self._trouble = ""
        if report is not None:
            self._report(report)
        if self._is_first and not self._quiet:
            _say("watching for changes: Ctrl-C ends it")
        self._is_first = False

    def report_reading(self, report: ReadReport) -> None:
        """Print how many images were read, and the failures that are new."""
        unknown = tuple(failure for failure in report.failed if failure not in self._unread)
        self._unread = frozenset(report.failed)
        if not (report.read or report.copied or unknown):
            return
        if self._as_json:
            self._show_json(replace(report, failed=unknown))
        show_failures(unknown, hint=": clipsearch status --failures", count=False)
        if not self._quiet:
            _say(next(replace(report, failed=unknown, unchanged=0, skipped=0).lines()))

    def trouble(self, error: Exception) -> None:
        """Print once why nothing can be stored now."""
        if (message := str(error)) != self._trouble:
            self._trouble = message
            _say(f"waiting: {message}")

    def _report(self, report: IngestReport) -> None:
        failed = tuple(failure for failure in report.failed if failure not in self._failed)
        refused = tuple(line for line in report.refused if line not in self._refused)
        changed = report.stored + report.copied + report.moved + report.removed
        self._failed, self._refused = frozenset(report.failed), report.refused
        if self._is_first or changed or failed or refused:
            self._show(report, replace(report, failed=failed, refused=refused))

    def _show(self, report: IngestReport, new: IngestReport) -> None:
        if self._as_json:
            self._show_json(new)
        show_failures(new.failed, hint=": clipsearch status --failures", count=False)
        shown = report if self._is_first else replace(new, unchanged=0)
        if not self._quiet and (shown.found or shown.removed):
            _say(next(shown.lines()))
        for line in new.refused:
            _say(line)

    def _show_json(self, report: IngestReport | ReadReport) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        click.echo(json.dumps({"time": now, **report.as_json()}))


def _say(message: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {escape_control(message)}", err=True)
