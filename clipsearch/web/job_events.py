"""A job's progress as server-sent events (HTML Standard, section 9.2)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from clipsearch.web.ingest_jobs import IngestJob

POLL_SECONDS = 0.25
"""Between two events."""

HEARTBEAT_SECONDS = 15.0
"""Proxies close connections that are silent for about a minute."""

RETRY_MS = 2_000
"""When a browser that lost the connection asks again."""


async def job_events(
    job: IngestJob, last_id: int, is_closing: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield an event for each change of a job until it ends; each holds the whole job.

    `last_id` is the event that the client has received last. An event holds the whole job, so what
    the client has missed meanwhile need not be repeated.
    """
    yield f"retry: {RETRY_MS}\n\n".encode()
    sent, sent_at = last_id, time.monotonic()
    while not is_closing():
        has_ended, version = job.state != "running", job.version
        if version != sent:
            yield _event(job, version)
            sent, sent_at = version, time.monotonic()
        elif time.monotonic() - sent_at > HEARTBEAT_SECONDS:
            yield b": still running\n\n"
            sent_at = time.monotonic()
        if has_ended:
            return
        await asyncio.sleep(POLL_SECONDS)


def _event(job: IngestJob, version: int) -> bytes:
    name = "progress" if job.state == "running" else "end"
    return f"event: {name}\nid: {version}\ndata: {json.dumps(job.as_json())}\n\n".encode()
