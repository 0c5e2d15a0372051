"""Users' own models: plug-ins through an entry point, and encoder objects."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL.Image import Image

from clipsearch import CenterCrop, Encoder, Index, ModelIdentity
from clipsearch.errors import ModelError, ModelMismatchError, UnknownModelError, UsageError
from clipsearch.models import registry
from clipsearch.models.base import TextLoss
from clipsearch.models.runtime import Runtime
from clipsearch.models.text_loss import text_warnings
from clipsearch.types import Pixels, Vectors
from tests.helpers.commands import command


class MeanColor(Encoder):
    """The least that a user has to write."""

    identity = ModelIdentity("mean-color", dim=3, weights="1", preprocessing="one pixel")
    input_size = 1

    def preprocess(self, image: Image) -> Pixels:
        pixels: Vectors = np.asarray(image.resize((1, 1)), np.float32)[0, 0]
        return pixels

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.stack(pixels).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        colors = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
        return np.array([colors[text] for text in texts], np.float32)


class CarefulMeanColor(MeanColor):
    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        return [TextLoss(unknown=("red",)) if text == "red" else None for text in texts]


class OtherMeanColor(MeanColor):
    identity = ModelIdentity("mean-color", dim=3, weights="2", preprocessing="one pixel")


class Impostor(MeanColor):
    identity = ModelIdentity("pocket", dim=3, weights="1", preprocessing="one pixel")


PLUGIN = """
from tests.models.test_custom_models import Impostor, MeanColor
from clipsearch import Runtime

def load():
    return MeanColor()

def load_on(runtime):
    assert isinstance(runtime, Runtime)
    encoder = MeanColor()
    encoder.runtime = runtime
    return encoder

def fail():
    raise OSError("no weights here")
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path with an installed distribution that registers models."""
    folder = tmp_path / "site"
    info = folder / "color_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: color-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        dedent(
            """\
            [clipsearch.models]
            mean-color = color_models:load
            class-entry = color_models:MeanColor
            on-runtime = color_models:load_on
            broken = color_models:fail
            missing = color_models:nothing
            pocket = color_models:load
            clip = color_models:load
            """
        )
    )
    (folder / "color_models.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_an_entry_point_plugs_in_a_model(plugins: Path, image_folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "a.db", model="mean-color") as index:
        index.ingest(image_folder)
    with Index.open(tmp_path / "a.db") as index:  # the collection knows the name
        assert index.search("green", limit=1)[0].path.name == "green.png"
        assert index.search(image=image_folder / "blue.png", limit=1)[0].path.name == "blue.png"
        assert index.encoder.logit_scale == 100
        assert index.encoder.center_crop == CenterCrop()


def test_a_plug_in_works_from_the_command_line(
    plugins: Path, image_folder: Path, tmp_path: Path
) -> None:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "clipsearch", *map(str, words)]
        path = os.pathsep.join([str(plugins), str(Path(__file__).parents[2])])
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.run(line, capture_output=True, text=True, check=True, env=environment)

    store = ["--uri", str(tmp_path / "a.db")]
    run("ingest", image_folder, *store, "--model", "mean-color")
    assert "green.png" in run("query", "green", "-n", "1", *store).stdout


def test_an_object_plugs_in_a_model(image_folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with Index.open(tmp_path / "a.db", model=MeanColor()) as index:
            index.ingest(image_folder)
            assert index.search("red", limit=1)[0].path.name == "red.png"


def test_reopening_without_the_object_says_what_to_do(image_folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "a.db", model=MeanColor()) as index:
        index.ingest(image_folder)
    with Index.open(tmp_path / "a.db") as index:
        assert len(index) == 3  # what needs no model works
        with pytest.raises(UnknownModelError, match=r"mean-color.*Index\.open\(model=…\)"):
            index.search("red")
    done = command("query", "red", "--uri", tmp_path / "a.db")
    assert done.returncode != 0
    assert "install the package that registers it" in done.stderr


def test_another_object_does_not_open_the_collection(image_folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "a.db", model=MeanColor()) as index:
        index.ingest(image_folder)
    with pytest.raises(ModelMismatchError, match="other weights"):
        Index.open(tmp_path / "a.db", model=OtherMeanColor())


def test_built_in_names_cannot_be_taken_over(plugins: Path, tmp_path: Path) -> None:
    assert registry.load("pocket").identity.dim == 512
    assert registry.parse_model_name("clip").family == "open_clip"
    assert {"pocket", "clip"}.isdisjoint(spec.name for spec in registry.plugin_specs())
    with pytest.raises(UsageError, match=r"'pocket', which is reserved"):
        Index.open(tmp_path / "a.db", model=Impostor())


def test_an_encoder_of_another_index_may_be_shared(image_folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "a.db", model=registry.load("pocket")) as index:
        assert index.encoder.identity.name == "pocket"


def test_load_gets_the_runtime_if_it_has_a_parameter(plugins: Path) -> None:
    with pytest.raises(ModelError, match="identity named 'mean-color': both must agree"):
        registry.load("on-runtime", Runtime("cpu"))  # it was called with the runtime


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "model 'broken' of color-models cannot be loaded: no weights here"),
        ("missing", "model 'missing' of color-models cannot be loaded: .*nothing"),
        ("class-entry", "identity named 'mean-color': both must agree"),
        ("mean-colour", "did you mean mean-color"),
    ],
)
def test_a_plug_in_that_fails_is_named(plugins: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        registry.load(name)


def test_two_packages_cannot_register_one_name(plugins: Path) -> None:
    info = plugins / "more_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[clipsearch.models]\nmean-color = x:y\n")
    with pytest.raises(ModelError, match=r"color-models, more-models|more-models, color-models"):
        registry.load("mean-color")


def test_the_list_of_models_has_plug_ins(plugins: Path) -> None:
    assert "mean-color" in command("models").stdout
    rows = [json.loads(line) for line in command("models", "--json").stdout.splitlines()]
    [row] = [row for row in rows if row["name"] == "mean-color"]
    assert (row["family"], row["note"]) == ("plugin", "plug-in of the package color-models")


def test_an_incomplete_encoder_says_what_is_missing() -> None:
    class NoTexts(Encoder):
        identity = MeanColor.identity
        input_size = 1

    with pytest.raises(TypeError, match="encode_texts"):
        NoTexts()  # type: ignore[abstract]


def test_an_encoder_may_tell_what_it_ignores_of_a_text() -> None:
    assert text_warnings(MeanColor(), ["red"]) == []
    [warning] = text_warnings(CarefulMeanColor(), ["red", "blue"])
    assert 'mean-color does not know "red"' in warning
