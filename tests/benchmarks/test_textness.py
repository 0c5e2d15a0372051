"""The textness benchmark at a small size: its data, its reading model and its metrics."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.textness.dataset import (
    IMAGES_WITH_TEXT,
    LabeledFiles,
    split_classes,
    without_text,
)
from benchmarks.textness.distractors import draw_distractor
from benchmarks.textness.embedding_space import EmbeddingSpace
from benchmarks.textness.fonts import system_fonts
from benchmarks.textness.imagenet import appearances
from benchmarks.textness.metrics import (
    MAX_LOSS,
    SCALES,
    evaluate_probe,
    measure_scales,
    strongest_scale,
)
from benchmarks.textness.model_cache import cache_key, split_vocabulary
from benchmarks.textness.reading_model import TrainingSteps, is_trained, train_model
from benchmarks.textness.report import Result, format_result
from benchmarks.textness.spelling import Spelling
from benchmarks.textness.street_scenes import readable_words
from benchmarks.textness.synthetic_words import LargeWordRenderer, WordRenderer
from benchmarks.textness.training_data import CELL, SIDE, TrainingSet, reduce_image
from benchmarks.textness.typographic_dataset import (
    IMAGES_PER_NAME,
    TypographicDataset,
    build_dataset,
    random_parts,
)
from clipsearch import Index
from clipsearch.errors import UsageError
from clipsearch.files.text_lines import numbered_lines
from clipsearch.fonts import font_family
from clipsearch.textness import TextnessProbe, TextRenderer, draw_background, find_fonts

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("anchor", "anchors", "barrel", "barrels", "camera", "candle", "chair", "chain", "tower")


@pytest.fixture(scope="module")
def word_renderer() -> WordRenderer:
    fonts = [file for file in find_fonts() if font_family(file) == "dejavusans"] or list(
        find_fonts()
    )
    if not fonts:
        pytest.skip("no fonts on this machine")
    return WordRenderer((tuple(fonts),))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of drawn images, four of one color in each."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    for name, color in (("red_barrel", "red"), ("green-chair", "green"), ("blue", "blue")):
        for number in range(4):
            image = Image.blend(
                draw_background(rng, (96, 72)), Image.new("RGB", (96, 72), color), 0.8
            )
            (folder / name).mkdir(exist_ok=True)
            image.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def files(classes: Path) -> LabeledFiles:
    return split_classes(classes, np.random.default_rng(0))


@pytest.fixture(scope="module")
def dataset(
    tmp_path_factory: pytest.TempPathFactory, files: LabeledFiles, word_renderer: WordRenderer
) -> TypographicDataset:
    folder = tmp_path_factory.mktemp("typographic") / "test"
    return build_dataset(
        folder, files.test, files.train["blue"], word_renderer, np.random.default_rng(1)
    )


def test_images_of_the_test_are_not_for_training(files: LabeledFiles) -> None:
    assert list(files.test) == ["blue", "green chair", "red barrel"]
    for name, paths in files.test.items():
        assert len(paths) == 2
        assert len({*paths, *files.train[name]}) == 4


def test_a_folder_without_classes_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    with pytest.raises(UsageError, match="a folder for each class"):
        split_classes(tmp_path, np.random.default_rng(0))


def test_parts_are_disjoint_and_shrink_together() -> None:
    files = [Path(f"{number}.jpg") for number in range(10)]
    first, second = random_parts(files, np.random.default_rng(0), 4, 2)
    assert (len(first), len(second)) == (4, 2)
    assert not {*first} & {*second}
    assert [len(part) for part in random_parts(files, np.random.default_rng(0), 30, 10)] == [7, 2]


def test_a_word_is_drawn_inside_the_image_with_its_letters_in_order(
    word_renderer: WordRenderer,
) -> None:
    image = Image.new("RGB", (128, 96), "gray")
    for seed in range(20):
        written, letters = word_renderer.draw(image, "camera", np.random.default_rng(seed))
        again, _ = word_renderer.draw(image, "camera", np.random.default_rng(seed))
        assert written.tobytes() == again.tobytes() != image.tobytes()
        assert "".join(letter.character for letter in letters) == "camera"
        xs = [letter.x for letter in letters]
        assert xs == sorted(xs)
        assert all(0 <= letter.x <= 128 and 0 <= letter.y <= 96 for letter in letters)


def test_distractors_change_an_image_and_depend_on_the_seed_only() -> None:
    image = Image.new("RGB", (128, 96), "gray")
    drawn = [draw_distractor(image, np.random.default_rng(seed)) for seed in range(40)]
    again = [draw_distractor(image, np.random.default_rng(seed)) for seed in range(40)]
    assert [copy.tobytes() for copy in drawn] == [copy.tobytes() for copy in again]
    assert len({copy.tobytes() for copy in drawn}) > 35  # an empty box may be transparent
    assert {copy.size for copy in drawn} == {image.size}


def test_images_with_text_are_excluded() -> None:
    names = [name for _, name in numbered_lines(IMAGES_WITH_TEXT)]
    assert names == sorted(set(names))
    files = [Path("dog.jpg"), Path("somewhere", names[0]), Path("cat.jpg")]
    assert without_text(files) == (files[0], files[2])


def test_words_are_for_training_or_held_out() -> None:
    training, held_out = split_vocabulary(without=["grand piano"])
    assert not set(training) & set(held_out)
    assert len(training) > 10 * len(held_out) > 5_000
    excluded = {"grand", "piano", "open"}  # the probe is fitted with "open"
    assert not excluded & {*training, *held_out}


def test_the_word_of_a_large_word_renderer_can_be_chosen(word_renderer: WordRenderer) -> None:
    renderer, image = (
        LargeWordRenderer(word_renderer, ["camera"]),
        Image.new("RGB", (128, 96), "gray"),
    )
    rngs = [np.random.default_rng(3) for _ in range(3)]
    drawn = [renderer.render(image, rngs[0]), renderer.render(image, rngs[1], text="barrel")]
    assert drawn[0] != drawn[1]
    assert renderer.render(image, rngs[2]) == drawn[0] != image


def test_the_probe_is_fitted_with_other_font_families(word_renderer: WordRenderer) -> None:
    excluded = {font_family(file) for file in word_renderer.families[0]}
    assert not excluded & {font_family(file) for file in system_fonts(word_renderer.families)}


def test_each_name_is_drawn_on_images_of_other_objects(dataset: TypographicDataset) -> None:
    assert dataset.names == ("blue", "green chair", "red barrel")
    for name in dataset.names:
        images = sorted((dataset.folder / "words" / name).iterdir())
        assert len(images) == IMAGES_PER_NAME
        red, green, blue = np.asarray(Image.open(images[0])).reshape(-1, 3).mean(axis=0)
        strongest = {"red barrel": red, "green chair": green, "blue": blue}
        assert max(strongest, key=lambda name: strongest[name]) != name
    assert len(list((dataset.clean / "others").iterdir())) == 2


def test_similar_spelling_has_similar_codes() -> None:
    spelling = Spelling(WORDS)
    codes = spelling.codes(WORDS)
    assert codes.shape == (len(WORDS), spelling.dim)
    cosines = codes @ codes.T
    assert cosines[0, 1] > cosines[0, 2]
    assert cosines[2, 3] > cosines[2, 4]


def test_a_bare_name_lies_between_object_and_word() -> None:
    rng = np.random.default_rng(0)
    prototypes = {
        name: rng.normal(size=30).astype(np.float32) for name in ("barrel", "camera", "tower")
    }
    vectors = appearances(prototypes, rng.normal(size=(20, 30)).astype(np.float32), 16)
    assert "goldfish" in vectors  # the second of ImageNet's classes
    space = EmbeddingSpace(vectors, Spelling(WORDS))
    names = list(prototypes)
    bare = space.bare_names(names)
    for texts in (space.objects(names), space.words(names)):
        cosines = bare @ texts.T
        assert np.array_equal(cosines.argmax(axis=1), [0, 1, 2])
        assert cosines.diagonal().min() > 0.4


def make_training_set(images: list[Image.Image], word_renderer: WordRenderer) -> TrainingSet:
    """Images of two objects; the others are to draw words on."""
    names, text_renderer = (
        ("barrel", "chair"),
        TextRenderer(words=WORDS, fonts=word_renderer.families[0]),
    )
    return TrainingSet(
        names, images[:2], [0, 1], images[2:], WORDS, word_renderer, text_renderer, Spelling(WORDS)
    )


def test_batches_mark_where_each_letter_is(word_renderer: WordRenderer) -> None:
    images = [
        reduce_image(Image.new("RGB", (200, 150), color)) for color in ("red", "green", "blue")
    ]
    training_set = make_training_set(images, word_renderer)
    batch = training_set.batch(np.random.default_rng(0), 3, 1, 2, 4, 2)
    assert batch.pixels.shape == (12, SIDE, SIDE, 3)
    assert len(batch.words) == 4
    assert len(batch.maps) == 10  # not for the two with any text
    assert [training_set.crops[index][1] for index in batch.crops][3] == -1
    assert batch.with_word == slice(6, 10)
    assert not batch.maps[:6].any()
    for word, maps in zip(batch.words, batch.maps[batch.with_word], strict=True):
        assert maps.shape == (len(training_set.channels), SIDE // CELL, SIDE // CELL)
        shown = {
            name
            for name, channel in training_set.channels.items()
            if len(name) == 1 and maps[channel].any()
        }
        assert shown == set(word)


def test_crops_without_words_are_new_and_as_sharp_as_the_images(
    word_renderer: WordRenderer,
) -> None:
    stripes = np.zeros((600, 900, 3), np.uint8)
    stripes[:, ::12] = 255
    images = [reduce_image(Image.new("RGB", (150, 140), color)) for color in ("red", "green")]
    training_set = make_training_set(
        [*images, reduce_image(Image.fromarray(stripes))], word_renderer
    )
    assert [image.size for image in (*training_set.objects, *training_set.others)] == [
        (150, 140),
        (150, 140),
        (384, 256),
    ]
    rng = np.random.default_rng(0)
    first, second = (training_set.batch(rng, 0, 0, 20, 0, 0).pixels for _ in range(2))
    assert not any(np.array_equal(a, b) for a in first for b in second)
    assert len({crop.tobytes() for crop in first}) == 20


def test_the_reading_model_is_an_open_clip_model(
    word_renderer: WordRenderer, tmp_path: Path
) -> None:
    images = [
        reduce_image(Image.new("RGB", (150, 140), color)) for color in ("red", "green", "blue")
    ]
    training_set = make_training_set(images, word_renderer)
    advanced: list[None] = []
    steps = TrainingSteps(text=2, image=1, batch=(2, 1, 1, 2, 1))
    folder = tmp_path / "reading"
    assert not is_trained(folder)
    train_model(folder, training_set, None, steps=steps, advance=lambda: advanced.append(None))
    assert is_trained(folder)
    assert len(advanced) == steps.total
    with Index.open(tmp_path / "reading.db", model=f"local-dir:{folder}") as index:
        images[0].save(tmp_path / "red.png")
        index.ingest(tmp_path / "red.png")
        assert index.search("the word barrel")[0].path.name == "red.png"
        texts = index.embed_texts(["barrel", "barrels", "a photo of a barrel"])
        assert texts.shape == (3, index.encoder.identity.dim)
        assert np.abs(texts @ texts.T - np.eye(3)).max() < 0.9999


def test_each_scale_has_shares_and_ranks(
    dataset: TypographicDataset, word_renderer: WordRenderer, tmp_path: Path
) -> None:
    with Index.open(tmp_path / "test.db", model="pocket") as index:
        index.ingest(dataset.folder)
        model = index.encoder.identity
        written = index.embed_images(sorted((dataset.folder / "words").rglob("*.jpg")))
        clean = index.embed_images(sorted(dataset.clean.rglob("*.png")))
        bias = (written.mean(axis=0) - clean.mean(axis=0)).astype(np.float32)
        middle = float((written @ bias).mean() + (clean @ bias).mean()) / 2
        probe = TextnessProbe(
            bias, middle, 50.0, 1.0, 1.0, 30, 8, model, "2026-01-01T00:00:00+00:00"
        )
        index.textness.save(probe)
        scales = measure_scales(index, dataset, "a photo of {}", lambda: None)
        strongest = strongest_scale(index, dataset, "a photo of {}")
        held_out = evaluate_probe(
            index, probe, sorted(dataset.clean.rglob("*.png")), dataset.names, word_renderer
        )
        plain = [hit.path for hit in index.search("a photo of blue", limit=10)]
        zero = [hit.path for hit in index.search("a photo of blue", limit=10, textness=0)]
    assert plain == zero
    assert held_out.auc > 0.8
    assert [row.scale for row in scales] == list(SCALES)
    for row in scales:
        assert 0 <= row.right_word <= row.words <= 1
        assert 1 <= row.first <= 38
        assert row.precision == pytest.approx(row.recall * 2 / 10)  # two images of each object
        assert 0 <= row.clean_recall <= 1
    by_scale = {row.scale: row for row in scales}
    assert by_scale[2].words >= by_scale[0].words >= by_scale[-2].words
    assert isinstance(strongest.scale, float | int)
    assert -6 <= strongest.scale <= 0
    assert strongest.clean_precision >= by_scale[0].clean_precision - MAX_LOSS - 1e-9
    assert strongest.words <= by_scale[0].words
    counts = {"images": 38}
    text = format_result(
        Result(
            "pocket",
            "",
            "here",
            "int8",
            counts,
            probe,
            held_out,
            held_out,
            scales,
            strongest,
            [],
            1.0,
        )
    )
    assert "best negative scale" in text
    assert len(text.splitlines()) == 7 + 2 + len(SCALES) + 3


def test_street_scenes_have_readable_words(tmp_path: Path) -> None:
    quads = {"OPEN": [0, 0, 40, 0, 40, 20, 0, 20], "shop": [0, 0, 40, 0, 40, 5, 0, 5]}
    words = [{"text": text, "quad": quad} for text, quad in quads.items()]
    line = str({"file": "1.jpg", "words": [*words, {"text": "###", "quad": quads["OPEN"]}]})
    (tmp_path / "words.jsonl").write_text(line.replace("'", '"') + "\n", encoding="utf-8")
    assert readable_words(tmp_path) == {"open": {"1.jpg"}}


def test_the_cache_key_depends_on_files_and_steps() -> None:
    objects = {"barrel": (Path("a.jpg"),)}
    key = cache_key(objects, [], TrainingSteps())
    assert key == cache_key(objects, [], TrainingSteps())
    assert key != cache_key({"barrel": (Path("b.jpg"),)}, [], TrainingSteps())
    assert key != cache_key(objects, [], TrainingSteps(text=1))


def test_the_command_has_help() -> None:
    command = [sys.executable, "-m", "benchmarks.textness", "--help"]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--reading-model" in report.stdout
