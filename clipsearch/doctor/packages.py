"""Checks of Python and of the installed packages."""

import re
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata

from clipsearch.doctor.finding import Finding

IMPORTED = ("numpy", "PIL.Image", "pillow_heif", "scipy", "openvino", "tokenizers", "pymilvus")
"""Modules with native code, which may be installed and yet not load."""

IMPORT_SECONDS = 25.0


def check_python() -> Iterator[Finding]:
    """The versions of Python and clipsearch."""
    version = ".".join(map(str, sys.version_info[:3]))
    bits = 8 * struct.calcsize("P")
    message = f"Python {version}, {bits} bits, in {sys.prefix}"
    if sys.version_info < (3, 11) or bits < 64:
        yield Finding("python", "error", message, "use Python 3.11 or newer for 64 bits")
        return
    try:
        yield Finding("python", "ok", f"clipsearch {metadata.version('clipsearch')}; {message}")
    except metadata.PackageNotFoundError:
        yield Finding(
            "python",
            "warning",
            f"{message}; clipsearch is not installed, only its source files are used",
            "run `pip install .` in its folder",
        )


def check_packages() -> Iterator[Finding]:
    """The required packages are there, in one version that fits; the extras that are complete."""
    try:
        requirements = metadata.requires("clipsearch") or []
    except metadata.PackageNotFoundError:
        return
    missing: defaultdict[str, list[str]] = defaultdict(list)  # by extra, "" for the base
    extras: set[str] = set()
    for text in requirements:
        requirement, _, marker = text.partition(";")
        extra = _extra(marker)
        extras.add(extra)
        if requirement.startswith("clipsearch[") or not _applies(marker, extra):
            continue
        if problem := _problem(requirement.strip()):
            missing[extra].append(problem)
    for problem in missing[""]:
        wanted = problem.split(":")[0]
        yield Finding("packages", "error", problem, f"pip install '{wanted}'")
    if not missing[""]:
        yield Finding("packages", "ok", "all required packages are installed")
    complete = sorted(extra for extra in extras - {""} if not missing[extra])
    others = sorted(extra for extra in extras - {""} if missing[extra])
    names = f"installed: {', '.join(complete) or 'none'}"
    yield Finding("extras", "ok", names + (f"; not: {', '.join(others)}" if others else ""))
    yield from _duplicates()


def check_imports() -> Iterator[Finding]:
    """Packages with native code load. In another process, which may crash without harm."""
    code = "import sys, importlib\n"
    code += "sys.modules['openvino_telemetry'] = None\n"  # as in `load_openvino`: no usage report
    code += "for name in sys.argv[1:]:\n print(name, flush=True)\n importlib.import_module(name)\n"
    command = [sys.executable, "-W", "ignore", "-c", code, *IMPORTED]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        last = output.decode(errors="replace").split()[-1:] or ["Python"]
        yield Finding("imports", "error", f"{last[0]} does not load in {IMPORT_SECONDS:.0f} s")
        return
    if done.returncode == 0:
        yield Finding("imports", "ok", f"{', '.join(IMPORTED)} load")
        return
    name = (done.stdout.split() or ["Python"])[-1]
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    package = name.split(".")[0].replace("PIL", "pillow")
    yield Finding(
        "imports",
        "error",
        f"{name} does not load: {reason}",
        f"pip install --force-reinstall --no-deps {package}",
    )


def _extra(marker: str) -> str:
    found = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
    return found[1] if found else ""


def _applies(marker: str, extra: str) -> bool:
    """Whether a requirement is for this system; True if `packaging` is not there to tell."""
    try:
        from packaging.markers import Marker
    except ImportError:
        return True
    return not marker.strip() or Marker(marker).evaluate({"extra": extra})


def _problem(requirement: str) -> str:
    """What is wrong with a required package, after its requirement and a colon; or ""."""
    name = re.split(r"[\s<>=!~\[(]", requirement, maxsplit=1)[0]
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{requirement}: not installed"
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ""
    if Requirement(requirement).specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement}: version {version} is installed"


def _duplicates() -> Iterator[Finding]:
    """Two versions of a package in one folder: pip was interrupted, or mixed with another tool."""
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            place = str(distribution.locate_file(""))
            versions[f"{name.lower().replace('_', '-')} in {place}"].add(distribution.version)
    for name, found in sorted(versions.items()):
        if len(found) > 1:
            package = name.split()[0]
            yield Finding(
                "packages",
                "warning",
                f"several versions of {name}: {', '.join(sorted(found))}",
                f"pip uninstall {package} until none is left, then install it again",
            )
