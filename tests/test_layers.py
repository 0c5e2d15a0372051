"""Imports go one way, and heavy packages are imported only by the modules that own them.

Add a new top-level module to TIERS; a module of a listed package belongs to that package's tier.
"""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A module imports from the rows above its own, and from its own package; never from its row.
TIERS = (
    "clipsearch.errors clipsearch.records clipsearch.remote_path clipsearch.batching"
    " clipsearch.cpu clipsearch.escape clipsearch.interrupt clipsearch.startup"
    " clipsearch.text_encoding clipsearch.abandoned clipsearch.ocr.image_text"
    " clipsearch.ocr.search_form",
    "clipsearch.address_space clipsearch.arguments clipsearch.types clipsearch.consistency",
    "clipsearch.config",
    "clipsearch.uri",
    "clipsearch.cache clipsearch.temporary_folder clipsearch.locations",
    "clipsearch.vectors clipsearch.logistic_regression clipsearch.percentiles clipsearch.fonts"
    " clipsearch.images clipsearch.files.paths clipsearch.models.crop",
    "clipsearch.files.text_lines clipsearch.models.base",
    "clipsearch.models clipsearch.store",
    "clipsearch.files clipsearch.ocr",
    "clipsearch.textness clipsearch.says clipsearch.calibration",
    "clipsearch.query",
    "clipsearch.transfer",
    "clipsearch.classify",
    "clipsearch.evaluation",
    "clipsearch.explain",
    "clipsearch.render",
    "ingest",
    "clipsearch.daemon",
    "clipsearch.model_match",
    "clipsearch.open_collection",
    "clipsearch.session clipsearch.search_api",
    "clipsearch.parquet_session clipsearch.reindexing clipsearch.text_session"
    " clipsearch.calibration_session",
    "clipsearch.index clipsearch.client clipsearch.distill clipsearch.doctor",
    "clipsearch.daemon.host clipsearch.web.settings",
    "clipsearch.daemon.__main__",
    "clipsearch.web clipsearch.mcp",
    "clipsearch.cli",
)
TIER_OF = {unit: tier for tier, units in enumerate(TIERS) for unit in units.split()}

# Entry points import what they export at its first use. No other module imports them.
ENTRY_POINTS = {"clipsearch", "clipsearch.__main__"}

# Packages that take a second or more to load, and the only modules that import them.
OWNERS = {
    "cv2": {
        "clipsearch.ocr.detection",
        "clipsearch.ocr.line_finder",
        "clipsearch.ocr.probability_map",
        "clipsearch.ocr.quads",
        "clipsearch.ocr.rapid_reader",
        "clipsearch.ocr.recognition",
    },
    "jinja2": {"clipsearch.render.html_template", "clipsearch.web.page_templates"},
    "huggingface_hub": {
        "clipsearch.models.hub",
        "clipsearch.models.library_output",
        "clipsearch.models.open_clip_checkpoint",
    },
    "open_clip": {
        "clipsearch.distill.architecture",
        "clipsearch.distill.student",
        "clipsearch.models.open_clip",
        "clipsearch.models.open_clip_checkpoint",
        "clipsearch.models.open_clip_text_tower",
    },
    "openvino": {"clipsearch.models.openvino_runtime"},
    "pymilvus": {"clipsearch.startup"},
    "ray": {"ingest.ray.cluster", "ingest.ray.worker"},
    "scipy": {
        "clipsearch.classify.learning_curve",
        "clipsearch.evaluation.metrics",
        "clipsearch.images.comparison",
        "clipsearch.logistic_regression",
    },
    "sklearn": {"clipsearch.logistic_regression"},
    "tokenizers": {"clipsearch.models.pocket.encoder", "clipsearch.models.tokenizers"},
    "torch": {
        "clipsearch.distill.checkpoint",
        "clipsearch.distill.loss",
        "clipsearch.distill.student",
        "clipsearch.distill.training_data",
        "clipsearch.distill.training_loop",
        "clipsearch.models.align",
        "clipsearch.models.patch_tokens",
        "clipsearch.models.torch_runtime",
    },
    "transformers": {"clipsearch.models.align"},
    "wcwidth": {"clipsearch.render.display_text"},
}

# Packages of extras, and those of our packages that alone import them. Nothing else imports these
# packages of ours at once.
SERVERS = {
    "fastapi": {"clipsearch.web"},
    "mcp": {"clipsearch.mcp"},
    "prometheus_client": {"clipsearch.web"},
    "pydantic": {"clipsearch.web", "clipsearch.mcp"},
    "starlette": {"clipsearch.web"},
    "uvicorn": {"clipsearch.web"},
}

# These import heavy packages at once: import them within functions, or from each other.
HEAVY_MODULES = {
    "clipsearch.distill.architecture",
    "clipsearch.distill.checkpoint",
    "clipsearch.distill.loss",
    "clipsearch.distill.student",
    "clipsearch.distill.training_data",
    "clipsearch.distill.training_loop",
    "clipsearch.models.align",
    "clipsearch.models.library_output",
    "clipsearch.models.open_clip",
    "clipsearch.models.open_clip_checkpoint",
    "clipsearch.models.open_clip_text_tower",
    "clipsearch.models.patch_tokens",
    "clipsearch.models.torch_runtime",
    "clipsearch.ocr.detection",
    "clipsearch.ocr.line_finder",
    "clipsearch.ocr.line_reader",
    "clipsearch.ocr.probability_map",
    "clipsearch.ocr.quads",
    "clipsearch.ocr.rapid_reader",
    "clipsearch.ocr.reading_order",
    "clipsearch.ocr.recognition",
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name; `runs` is when: with its module ("at once"), in a call, or never."""

    target: str
    line: int
    runs: str


@cache
def sources() -> dict[str, Path]:
    """Every module of the two packages by its dotted name."""
    files = (path for top in ("clipsearch", "ingest") for path in (ROOT / top).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(sources()[module].read_text(encoding="utf-8"))


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """Each import statement of a module, anywhere in it, with the module that it names."""

    def visit(node: ast.AST, runs: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import(names=names):
                    yield from (Import(name.name, child.lineno, runs) for name in names)
                case ast.ImportFrom(module=source, names=names, level=level):
                    assert level == 0, f"{module}:{child.lineno} import by the full name"
                    for name in names:
                        if name.name == "__version__":  # a string, there before anything loads
                            continue
                        inner = f"{source}.{name.name}"
                        target = inner if inner in sources() else str(source)
                        yield Import(target, child.lineno, runs)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield from visit(child, "in a call" if runs == "at once" else runs)
                case ast.If(test=test, body=body, orelse=orelse) if "TYPE_CHECKING" in ast.dump(
                    test
                ):
                    yield from visit(ast.Module(body, []), "never")
                    yield from visit(ast.Module(orelse, []), runs)
                case _:
                    yield from visit(child, runs)

    return tuple(visit(tree_of(module), "at once"))


def unit_of(module: str) -> str | None:
    """The entry of TIERS that holds a module: itself or the nearest package around it."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in TIER_OF), None)


def is_ours(target: str) -> bool:
    return (ROOT / target.split(".")[0]).is_dir()


def package(target: str) -> str:
    return target.split(".")[0]


@pytest.mark.parametrize("module", sorted(sources().keys() - ENTRY_POINTS))
def test_a_module_imports_only_from_tiers_below(module: str) -> None:
    unit = unit_of(module)
    assert unit, f"{module} has no tier: add it to TIERS"
    wrong = [
        f"line {imported.line}: {imported.target}"
        for imported in imports_of(module)
        if is_ours(imported.target)
        and (below := unit_of(imported.target)) != unit
        and (below is None or TIER_OF[below] >= TIER_OF[unit])
    ]
    assert not wrong, f"{module} is in tier {TIER_OF[unit]}, but imports upwards: {wrong}"


def test_every_entry_of_the_table_exists() -> None:
    assert TIER_OF.keys() <= sources().keys()
    assert set().union(*OWNERS.values()) <= sources().keys()


@pytest.mark.parametrize("heavy", OWNERS)
def test_only_its_owners_import_a_heavy_package(heavy: str) -> None:
    importers = {
        module
        for module in sources()
        if any(
            package(imported.target) == heavy and imported.runs != "never"
            for imported in imports_of(module)
        )
    }
    assert importers == OWNERS[heavy]


@pytest.mark.parametrize("package_name", SERVERS)
def test_only_servers_import_the_packages_of_their_extras(package_name: str) -> None:
    outside = {
        module
        for module in sources()
        if unit_of(module) not in SERVERS[package_name]
        and any(package(imported.target) == package_name for imported in imports_of(module))
    }
    assert not outside


def is_server(module: str) -> bool:
    return unit_of(module) in set().union(*SERVERS.values())


def test_heavy_packages_load_with_their_owners_and_no_other_module() -> None:
    loading: set[str] = set()
    before = None
    while loading != before:  # until no further module is found to import them
        before = set(loading)
        loading |= {
            module
            for module in sources()
            if not is_server(module)
            for imported in imports_of(module)
            if imported.runs == "at once"
            and (
                package(imported.target) in OWNERS
                or imported.target in loading
                or is_server(imported.target)
            )
        }
    assert loading == HEAVY_MODULES


def test_only_the_images_package_opens_images() -> None:
    def opens(module: str) -> bool:
        """Whether it calls `Image.open` or names a decoder of Pillow's."""
        calls = {
            ast.unparse(node)
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.Attribute)
        }
        decoders = re.compile(r"PIL\.\w+Plugin|pillow_heif|pi_heif")
        return bool(calls & {"Image.open", "PIL.Image.open"}) or any(
            decoders.match(imported.target) for imported in imports_of(module)
        )

    openers = {module for module in sources() if opens(module)}
    assert {unit_of(module) for module in openers} == {"clipsearch.images"}


@pytest.mark.parametrize("command", ["-c 'import clipsearch'", "-m clipsearch --help"])
def test_entry_points_import_quickly(command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines()}
    assert "clipsearch" in loaded
    assert not loaded & {"numpy", *OWNERS, *SERVERS}
