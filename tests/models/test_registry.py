"""Model names, the table of models, and the default model."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import create_server

import pytest

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.registry import (
    MODELS,
    ModelRef,
    choose_default,
    is_local,
    load,
    parse_model_name,
)
from tests.helpers.hub import serving_handler

CLIP_REPO = "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ViT-B-32/openai", ModelRef("ViT-B-32/openai", "open_clip", "ViT-B-32", "openai")),
        ("ViT-B-32__openai", ModelRef("ViT-B-32/openai", "open_clip", "ViT-B-32", "openai")),
        ("ViT-B/32/OpenAI", ModelRef("ViT-B-32/openai", "open_clip", "ViT-B-32", "openai")),
        (
            " clip ",
            ModelRef(
                "ViT-B-32-256/datacomp_s34b_b86k", "open_clip", "ViT-B-32-256", "datacomp_s34b_b86k"
            ),
        ),
        (
            "hf-hub:org/some.name",
            ModelRef("hf-hub:org/some.name", "open_clip", repo="org/some.name"),
        ),
        ("align", ModelRef("align", "align", repo="kakaobrain/align-base")),
        ("align:kakaobrain/align-base", ModelRef("align", "align", repo="kakaobrain/align-base")),
        ("align:org/name", ModelRef("align:org/name", "align", repo="org/name")),
        ("pocket", ModelRef("pocket", "pocket")),
    ],
)
def test_every_form_of_a_name_has_one_canonical_spelling(name: str, expected: ModelRef) -> None:
    assert parse_model_name(name) == expected
    assert parse_model_name(expected.name) == expected


def test_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert parse_model_name("local-dir:org/name").folder == tmp_path / "org" / "name"
    assert parse_model_name("local-dir:./org/../org/name") == parse_model_name(
        f"local-dir:{tmp_path}/org/name"
    )
    assert parse_model_name("align:org/name").folder == tmp_path / "org" / "name"
    assert parse_model_name("align:./new").folder == tmp_path / "new"
    with pytest.raises(ModelError, match="write local-dir:org"):
        parse_model_name("org")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("clpi", "did you mean clip"),
        ("pokcet", "did you mean pocket"),
        ("ViT-B32/openai", "did you mean ViT-B-32/openai"),
        ("vit-b-32/openai", "did you mean ViT-B-32/openai"),
        ("ViT-B-32:openai", "did you mean ViT-B-32/openai"),
        ("siglip2", "did you mean ViT-B-32-SigLIP2-256/webli"),
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "did you mean hf-hub:laion/CLIP"),
        (
            "immich-app/ViT-B-32__openai",
            "did you mean onnx:immich-app/ViT-B-32__openai or ViT-B-32/",
        ),
        ("ViT-B-32", "does not say which weights: write ViT-B-32/"),
        ("zzz", "unknown model 'zzz': `clipsearch models`"),
        ("", "unknown model ''"),
        ("hf-hub:name", "neither a hub repository"),
        ("align:", "names no folder"),
        ("local-dir:", "names no folder"),
    ],
)
def test_the_error_for_an_unknown_name_names_the_nearest_one(name: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(name)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_table_agrees_with_the_installed_open_clip() -> None:
    import open_clip

    for spec in MODELS:
        ref = parse_model_name(spec.name)
        assert (ref.name, ref.family) == (spec.name, spec.family)
        if spec.family == "open_clip":
            assert open_clip.get_pretrained_cfg(ref.arch, ref.tag)["hf_hub"] == f"{spec.repo}/"
            config = open_clip.get_model_config(ref.arch)
            assert config["embed_dim"] == spec.dim
            # A tokenizer or text tower from elsewhere must be on this machine as well.
            text = config["text_cfg"]
            needed = {text.get("hf_tokenizer_name"), text.get("hf_model_name")}
            assert needed - {None, spec.repo} == set(spec.tokenizer_repos)


def test_every_published_open_clip_model_can_be_named() -> None:
    import open_clip

    for arch, tag in open_clip.list_pretrained():
        ref = parse_model_name(f"{arch}/{tag}")
        assert (ref.arch, ref.tag) == (arch, tag)
        assert parse_model_name(f"{arch}__{tag}") == ref


def test_the_table_agrees_with_align() -> None:
    from transformers import AlignConfig

    (align,) = (spec for spec in MODELS if spec.name == "align")
    assert AlignConfig().projection_dim == align.dim


def test_names_tables_and_defaults_import_no_model_library(tmp_path: Path) -> None:
    code = """
import sys
from clipsearch.models.registry import MODELS, choose_default, is_local, load
choose_default()
[is_local(spec) for spec in MODELS]
try:
    load("ViT-B32/openai")
except Exception as error:
    print(error)
print(*{"torch", "open_clip", "transformers", "openvino", "pymilvus"} & set(sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unknown, loaded = run.stdout.splitlines()
    assert "did you mean" in unknown
    assert loaded == ""


def cache(home: Path, repo: str, name: str) -> None:
    folder = home / "hub" / f"models--{repo.replace('/', '--')}"
    (folder / "snapshots" / "c0ffee").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("c0ffee")
    (folder / "snapshots" / "c0ffee" / name).write_bytes(b"weights")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and no settings about the network."""
    # huggingface_hub reads HF_HUB_OFFLINE, which all tests set, when it is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")  # not the user's own
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return tmp_path


@contextmanager
def serving(
    status: int = 200, *, commit: str | None = "c0ffee", token: str = "", **headers: str
) -> Iterator[tuple[str, list[str]]]:
    """A hub on 127.0.0.1 with one answer to all requests; yields its address and the requests.

    With `token`, it offers nothing to requests without that token.
    """
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            requests.append(self.path)
            allowed = token in self.headers.get("Authorization", "")
            self.send_response(status if allowed else 401)
            if commit and allowed:
                self.send_header("X-Repo-Commit", commit)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def do_GET(self) -> None:  # what older Pythons make of a redirection
            self.do_HEAD()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving_handler(Handler) as address:
        yield address, requests


def test_the_environment_decides_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_MODEL", "ViT-B-32__openai")
    assert choose_default() == ("ViT-B-32/openai", "CLIPSEARCH_MODEL names it")
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pokcet")
    with pytest.raises(ModelError, match="did you mean pocket"):
        choose_default()


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_clip_is_the_default_if_its_weights_are_cached(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert choose_default()[0] == "pocket"
    cache(home, CLIP_REPO, name)
    assert choose_default() == ("clip", "its weights are on this machine")


def test_clip_is_the_default_if_the_hub_offers_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as (address, requests):
        monkeypatch.setenv("HF_ENDPOINT", f"{address}/")
        name, reason = choose_default()
        assert name == "clip"
        assert address in reason
        assert "605 MB" in reason
        assert requests == [f"/{CLIP_REPO}/resolve/main/README.md"]
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert choose_default()[0] == "pocket"
        assert len(requests) == 1


@pytest.mark.parametrize(("status", "commit"), [(200, None), (404, None), (500, None)])
def test_pocket_is_the_default_if_the_answer_is_not_a_hubs(
    home: Path, monkeypatch: pytest.MonkeyPatch, status: int, commit: str | None
) -> None:
    with serving(status, commit=commit) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert choose_default()[0] == "pocket"


def test_a_repository_without_a_readme_is_offered(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(404, X_Error_Code="EntryNotFound") as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        hub.require("clip", CLIP_REPO, hub.OPEN_CLIP_WEIGHTS)
    with serving(404, X_Error_Code="RepoNotFound") as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert not hub.offers(CLIP_REPO)


def test_a_private_repository_is_offered_to_its_owner(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(token="hf_secret") as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", "hf_other")
        assert not hub.offers(CLIP_REPO)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        assert hub.offers(CLIP_REPO)


def test_the_token_goes_to_no_other_host(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(token="hf_secret") as (other_host, requests):
        for commit in (None, "c0ffee"):
            # huggingface_hub follows such a redirect neither here nor for the download.
            with serving(307, commit=commit, Location=f"{other_host}/renamed") as (address, _):
                monkeypatch.setenv("HF_ENDPOINT", address.replace("127.0.0.1", "localhost"))
                assert hub.offers(CLIP_REPO) is bool(commit)
        assert requests == []


def test_pocket_is_the_default_without_a_connection(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    name, reason = choose_default()
    assert name == "pocket"
    assert address in reason
    with pytest.raises(ModelError, match=rf"{address} does not .*--model pocket"):
        hub.require("clip", CLIP_REPO, hub.OPEN_CLIP_WEIGHTS)


def test_a_hub_that_never_answers_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.perf_counter()
        assert choose_default()[0] == "pocket"
        assert time.perf_counter() - start < hub.DEFAULT_SECONDS + 2


def test_the_timeout_is_longer_for_a_named_model(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.NAMED_SECONDS > hub.DEFAULT_SECONDS
    with create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(hub, "NAMED_SECONDS", 0.2)
        start = time.perf_counter()
        with pytest.raises(ModelError, match="does not answer"):
            hub.require("clip", CLIP_REPO, hub.OPEN_CLIP_WEIGHTS)
        assert 0.2 <= time.perf_counter() - start < hub.DEFAULT_SECONDS


def test_a_model_is_local_if_all_its_files_are(home: Path) -> None:
    here = {spec.name for spec in MODELS if is_local(spec)}
    assert here == {"pocket"}
    cache(
        home,
        "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        "open_clip_pytorch_model.bin",
    )
    assert {spec.name for spec in MODELS if is_local(spec)} == here
    cache(home, "xlm-roberta-base", "tokenizer.json")
    assert {spec.name for spec in MODELS if is_local(spec)} - here == {
        "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"
    }
    cache(home, "kakaobrain/align-base", "pytorch_model.bin")
    assert "align" in {spec.name for spec in MODELS if is_local(spec)}
