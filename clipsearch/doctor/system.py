"""Checks of the machine: processor, settings, disks, limits, fonts, network."""

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from clipsearch import config, cpu
from clipsearch.doctor.finding import Finding
from clipsearch.uri import SCHEMES, without_credentials

VARIABLES = frozenset(
    f"CLIPSEARCH_{name}"
    for name in (*map(str.upper, config.SETTINGS), "TOKEN", "WARM", "CONFIG", "CACHE")
)
LITTLE_SPACE = 1 << 30
NO_SPACE = 128 << 20
"""Free bytes below which to warn, and below which a local store refuses writes soon."""

FEW_FILES = 256
"""Open files that every command is sure to run with."""

PROXIES = ("GRPC_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


def check_processor() -> Iterator[Finding]:
    """The processor and its instruction sets."""
    message = cpu.description()
    if cpu.is_limited():
        variables = [name for name in cpu.LIMITS if os.environ.get(name)]
        advice = f"unset {' and '.join(variables)}, unless you want that"
        yield Finding("processor", "warning", f"{message}, limited by {variables[0]}", advice)
    elif platform.machine().lower() in ("x86_64", "amd64") and "avx2" not in cpu.instruction_sets():
        advice = "expect a small fraction of the usual speed"
        yield Finding("processor", "warning", f"{message}: no AVX2", advice)
    else:
        yield Finding("processor", "ok", message)


def check_settings() -> Iterator[Finding]:
    """config.toml can be read, and the environment variables are known ones."""
    path = config.config_path()
    settings = config.read_config()  # raises UsageError
    found = f"{path}, {len(settings)} keys" if settings else f"no {path}"
    for name in config.SETTINGS:
        if setting := config.find_setting(name):
            value = without_credentials(setting.value) if name == "uri" else setting.value
            found += f"; {name} = {value} ({_source(setting.source)})"
    yield Finding("settings", "ok", found)
    for name in sorted(os.environ):
        if name.startswith("CLIPSEARCH_") and name not in VARIABLES and "_TEST_" not in name:
            known = ", ".join(sorted(VARIABLES))
            yield Finding("settings", "warning", f"{name} has no effect", f"variables: {known}")


def check_disks(store: Path | None) -> Iterator[Finding]:
    """Free space for the store and for the cache."""
    places = {"cache": config.cache_folder()} | ({"store": store} if store else {})
    for name, path in places.items():
        folder = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(folder).free
        message = f"{free / 1e9:,.1f} GB free for the {name} ({path})"
        advice = "make room: a local store refuses to write to a full disk"
        if free >= LITTLE_SPACE:
            yield Finding("disk", "ok", message)
        else:
            yield Finding("disk", "error" if free < NO_SPACE else "warning", message, advice)


def check_limits() -> Iterator[Finding]:
    """The limits of open files, and of folders to watch."""
    if sys.platform == "win32":
        return
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    message = f"{'unlimited' if unlimited else f'{soft:,}'} open files"
    with contextlib.suppress(OSError, ValueError):  # not Linux
        message += f", {int(WATCHES.read_text('ascii')):,} watched folders"
    if unlimited or soft >= FEW_FILES:
        yield Finding("limits", "ok", message)
    else:
        yield Finding("limits", "warning", message, f"run `ulimit -n {FEW_FILES}` or more first")


def check_fonts() -> Iterator[Finding]:
    """Fonts for titles of contact sheets and for textness."""
    from clipsearch.fonts import find_fonts, group_by_family

    fonts = find_fonts()
    message = f"{len(fonts):,} files, {len(group_by_family(fonts)):,} families"
    if fonts:
        yield Finding("fonts", "ok", message)
    else:
        advice = "install fonts, such as Noto: only Latin letters can be drawn now"
        yield Finding("fonts", "warning", "none found", advice)


def check_network(uri: str) -> Iterator[Finding]:
    """Settings of proxies and of the model hub; contacts nothing."""
    proxies = {
        name: value
        for name in PROXIES
        for value in [os.environ.get(name.lower()) or os.environ.get(name)]
        if value
    }
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    message = f"model hub {'switched off by HF_HUB_OFFLINE' if offline else hub}"
    if proxies:
        shown = ", ".join(f"{name}={without_credentials(value)}" for name, value in proxies.items())
        message += f"; {shown}"
    yield Finding("network", "ok", message)
    host = urlsplit(uri).hostname if uri.startswith(SCHEMES) else None
    excluded = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    if proxies and host and not any(host.endswith(name.strip()) for name in excluded if name):
        advice = f"if it is in your network, add {host} to no_proxy"
        message = f"calls of the Milvus server {host} go through {next(iter(proxies))}"
        yield Finding("network", "warning", message, advice)


def _source(source: str) -> str:
    return "config.toml" if source == str(config.config_path()) else source
