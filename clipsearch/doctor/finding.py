"""Finding: the result of a check; and the running of checks, none of which can stop the others."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipsearch.errors import ClipsearchError, shorten

Level: TypeAlias = Literal["ok", "warning", "error"]

CHECK_SECONDS = 30.0
"""How long a check may take: a disk or a server that does not answer would block it forever."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and for a warning or an error what to do."""

    check: str
    level: Level
    message: str
    advice: str = ""


Check: TypeAlias = Callable[[], Iterable[Finding]]
"""Yields findings; it changes nothing. An exception becomes an error."""


def run_checks(checks: Mapping[str, Check], *, seconds: float = CHECK_SECONDS) -> Iterator[Finding]:
    """Yield the findings of each check in order, as soon as it has finished or timed out."""
    for name, check in checks.items():
        found: list[Finding] = []
        # A daemon thread: one that hangs does not keep the process from ending.
        thread = threading.Thread(target=_run, args=(name, check, found), daemon=True)
        thread.start()
        thread.join(seconds)
        yield from tuple(found)
        if thread.is_alive():
            yield Finding(
                name,
                "error",
                f"no answer within {seconds:.0f} s",
                "check the disk or the server that it uses",
            )


def _run(name: str, check: Check, found: list[Finding]) -> None:
    try:
        for finding in check():
            found.append(finding)  # one by one: those before an exception count
    except ClipsearchError as error:
        found.append(Finding(name, "error", shorten(str(error))))
    except ImportError as error:
        message = f"cannot be checked: {shorten(str(error))}"
        found.append(Finding(name, "error", message, "install clipsearch again"))
    except Exception as error:  # noqa: BLE001 - a check of something broken may raise anything
        found.append(
            Finding(
                name, "error", f"the check failed: {type(error).__name__}: {shorten(str(error))}"
            )
        )
