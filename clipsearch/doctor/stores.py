"""Checks of the store and its daemon, of models, formats and the cache."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch import config
from clipsearch.doctor.finding import Finding
from clipsearch.errors import BusyStoreError, ClipsearchError, UsageError
from clipsearch.remote_path import RemotePath
from clipsearch.uri import parse_uri

if TYPE_CHECKING:
    from clipsearch.store import Store

POCKET_FILES = tuple(
    f"{tower}.{suffix}" for tower in ("image", "head", "text") for suffix in ("xml", "bin")
)


def check_daemon(uri: str) -> Iterator[Finding]:
    """Whether a daemon serves the store, and answers."""
    from clipsearch.daemon import process

    status = process.read_status(uri)  # raises StoreError if it hangs or is of another version
    if status is None:
        yield Finding("daemon", "ok", "not running; `clipsearch warm` starts it")
    else:
        models = ", ".join(status.models) or "none"
        yield Finding("daemon", "ok", f"process {status.pid}, models loaded: {models}")


def check_store(uri: str, token: str | None) -> Iterator[Finding]:
    """The store opens, its file is sound, and each collection has the rows of the catalog."""
    from clipsearch.session import daemon_of, open_store
    from clipsearch.store.milvus_lite import local_store
    from clipsearch.store.milvus_lite.native_server import native_library

    path = parse_uri(uri).path
    if path is not None and not path.exists():
        yield Finding("store", "ok", f"no {path} yet: `clipsearch ingest FOLDER` makes it")
        return
    try:
        with open_store(uri, token=token, create=False, single_query=True) as store:
            if path is not None and daemon_of(store) is None:  # nobody else writes now
                if (journal := path.with_name(f"{path.name}-journal")).exists():
                    message = f"{journal} exists: a write was interrupted"
                    yield Finding("store", "warning", message, "the next command repairs it")
                    return  # as would reading it here
                is_native = native_library() is not None
                local_store.check_path(path, native=is_native, create=True)
            size = store.disk_bytes()
            shown = "" if size is None else f", {size / 1e6:,.1f} MB"
            note = "; `clipsearch check` checks every row"
            if path is None:
                shown = f", {store.backend.capabilities().server}"
            yield Finding("store", "ok", f"{store.uri}{shown}{note}")
            for info in store.collections():
                yield from _check_collection(store, info.name)
    except BusyStoreError as error:
        yield Finding("store", "warning", str(error), "wait for that process, or end it")
    if path is not None and path.is_file() and path.stat().st_mode & 0o077:
        message = f"other users of this machine can read {path}"
        yield Finding("store", "warning", message, f"chmod 600 '{path}'")


def _check_collection(store: "Store", name: str) -> Iterator[Finding]:
    from clipsearch.model_match import reindex_command
    from clipsearch.models import registry

    try:
        collection = store.collection(name)
    except ClipsearchError as error:
        yield Finding("store", "error", str(error))
        return
    info = collection.info
    failures = len(collection.failures())
    failed = f", {failures:,} files failed: `clipsearch status --failures`" if failures else ""
    read = f", {texts:,} of them read" if (texts := collection.texts.count()) else ""
    message = f"{name}: {collection.estimate_count():,} images by {info.model.name}{read}{failed}"
    yield Finding("store", "ok", message)
    if registry.is_other_release(info.model):
        message = f"{name}: another release of {info.model.name} made it, no text can be searched"
        yield Finding("store", "warning", message, reindex_command(name, info.model.name))
    for root in info.roots:
        if not isinstance(root, RemotePath) and not root.exists():
            advice = "mount its disk; if it is gone for good: `clipsearch remove` and that folder"
            yield Finding("store", "warning", f"{name}: the folder {root} is missing", advice)
    if record := registry.measured_precision(info.model.name):
        yield Finding("precision", "ok", f"{info.model.name}: {record.describe()}")


def check_runtime() -> Iterator[Finding]:
    """The device, the library and the precision that the settings choose."""
    from clipsearch.models.runtime import Runtime, has_gpu, has_torch

    runtime = Runtime.from_options()  # raises UsageError
    library = "OpenVINO on the CPU" if runtime.on_openvino else "torch"
    gpu = "a GPU" if has_gpu() else "no GPU"
    message = f"{library}; precision {runtime.precision}; {gpu} for torch"
    if not runtime.on_openvino and not has_torch():
        yield Finding("runtime", "error", message, "pip install 'clipsearch[torch]'")
    else:
        yield Finding("runtime", "ok", message if has_torch() else f"{message}, no torch")


def check_models() -> Iterator[Finding]:
    """The files of the embedded model, and which others need no download."""
    import json

    from clipsearch.models import registry
    from clipsearch.models.pocket import encoder
    from clipsearch.models.recommended_models import MODELS

    try:
        json.loads((encoder.WEIGHTS / "manifest.json").read_text("utf-8"))
        files = [encoder.WEIGHTS / name for name in (*POCKET_FILES, "tokenizer.json")]
        missing = [path.name for path in files if not path.stat().st_size]
    except (OSError, ValueError) as error:
        missing = [str(error)]
    if missing:
        message = f"pocket is incomplete: {', '.join(missing)}"
        yield Finding("models", "error", message, "install clipsearch again")
    local = [spec.alias or spec.name for spec in MODELS if registry.is_local(spec)]
    yield Finding("models", "ok", f"without a download: {', '.join(local)}")
    setting = config.find_setting("model")
    if setting and setting.value != "auto":
        try:
            registry.parse_model_name(setting.value)
        except UsageError as error:
            yield Finding("models", "error", f"{setting.source}: {error}")


def check_formats() -> Iterator[Finding]:
    """The formats that extras read, and which of these are installed."""
    from clipsearch.images.optional import OPTIONAL_DECODERS

    for decoder in OPTIONAL_DECODERS:
        state = "installed" if decoder.installed else f"not installed: {decoder.advice}"
        yield Finding("formats", "ok", f"{decoder.title}: {state}")


def check_reader() -> Iterator[Finding]:
    """The models that read the text in images are on this disk."""
    from clipsearch.ocr.model_files import INSTALL, find_model_files

    if find_spec("rapidocr") is None:
        yield Finding("text", "ok", f"`clipsearch read` is not installed: {INSTALL}")
        return
    try:
        name = find_model_files().recognition.stem
    except UsageError as error:
        yield Finding("text", "warning", str(error), INSTALL)
        return
    yield Finding("text", "ok", f"`clipsearch read` uses {name}, part of rapidocr")


def check_cache() -> Iterator[Finding]:
    """The size of the cache, and converted models that nothing uses any more."""
    from clipsearch.models import export_cache

    folder = config.cache_folder()
    size = _size(folder)
    stale = [path for path in export_cache.stale_folders() if path.is_dir()]
    message = f"{folder}, {size / 1e6:,.0f} MB"
    if stale:
        wasted = sum(map(_size, stale)) / 1e6
        names = ", ".join(path.name for path in stale[:3]) + (", …" if len(stale) > 3 else "")
        advice = f"delete them in {export_cache.folder()}: what is needed is converted again"
        yield Finding(
            "cache",
            "warning",
            f"{message}, {wasted:,.0f} MB of it unfinished or by other versions: {names}",
            advice,
        )
    else:
        yield Finding("cache", "ok", message)


def _size(folder: Path) -> int:
    """The bytes of the files in a folder; those that vanish meanwhile count as none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() or path.is_dir() else path.stat().st_size
        except OSError:
            continue
    return total
