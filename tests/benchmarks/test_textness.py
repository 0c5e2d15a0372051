"""The textness benchmark at a small size: what it builds, and that its numbers mean what they say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.textness.dataset import LETTERED, Photos, split, without_text
from benchmarks.textness.distractors import scribble
from benchmarks.textness.drawn_words import Pen, WordWriter
from benchmarks.textness.embedding_space import Space
from benchmarks.textness.fonts import of_the_probe
from benchmarks.textness.measure import LOSS, SCALES, held_out, rows, strongest
from benchmarks.textness.model_cache import vocabulary
from benchmarks.textness.objects import looks
from benchmarks.textness.reading_model import Effort, is_trained, train
from benchmarks.textness.report import Result, table
from benchmarks.textness.spelling import Spelling
from benchmarks.textness.street_scenes import words_of
from benchmarks.textness.training_data import CELL, SIDE, School, kept
from benchmarks.textness.typographic import WORDS_EACH, Typographic, build, parts_of
from clipsearch import Index
from clipsearch.errors import UsageError
from clipsearch.files.text_lines import numbered_lines
from clipsearch.textness import TextnessProbe, TextRenderer, draw_background, find_fonts
from clipsearch.textness.fonts import font_family

WORDS = ("anchor", "anchors", "barrel", "barrels", "camera", "candle", "chair", "chain", "tower")


@pytest.fixture(scope="module")
def pen() -> Pen:
    fonts = [file for file in find_fonts() if font_family(file) == "dejavusans"] or list(
        find_fonts()
    )
    if not fonts:
        pytest.skip("no fonts on this machine")
    return Pen((tuple(fonts),))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of drawn pictures, four of a colour in each."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    for name, colour in (("red_barrel", "red"), ("green-chair", "green"), ("blue", "blue")):
        for number in range(4):
            picture = Image.blend(
                draw_background(rng, (96, 72)), Image.new("RGB", (96, 72), colour), 0.8
            )
            (folder / name).mkdir(exist_ok=True)
            picture.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photos(classes: Path) -> Photos:
    return split(classes, np.random.default_rng(0))


@pytest.fixture(scope="module")
def test(tmp_path_factory: pytest.TempPathFactory, photos: Photos, pen: Pen) -> Typographic:
    folder = tmp_path_factory.mktemp("typographic") / "test"
    return build(folder, photos.test, photos.taught["blue"], pen, np.random.default_rng(1))


def test_photographs_of_the_test_teach_no_model(photos: Photos) -> None:
    assert list(photos.test) == ["blue", "green chair", "red barrel"]
    for name, files in photos.test.items():
        assert len(files) == 2
        assert len({*files, *photos.taught[name]}) == 4


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    with pytest.raises(UsageError, match="a folder for each class"):
        split(tmp_path, np.random.default_rng(0))


def test_parts_are_disjoint_and_shrink_together() -> None:
    files = [Path(f"{number}.jpg") for number in range(10)]
    one, other = parts_of(files, np.random.default_rng(0), 4, 2)
    assert (len(one), len(other)) == (4, 2)
    assert not {*one} & {*other}
    assert [len(part) for part in parts_of(files, np.random.default_rng(0), 30, 10)] == [7, 2]


def test_a_word_is_drawn_inside_the_picture_with_its_letters_in_order(pen: Pen) -> None:
    picture = Image.new("RGB", (128, 96), "grey")
    for seed in range(20):
        written, letters = pen.write(picture, "camera", np.random.default_rng(seed))
        again, _ = pen.write(picture, "camera", np.random.default_rng(seed))
        assert written.tobytes() == again.tobytes() != picture.tobytes()
        assert "".join(letter.character for letter in letters) == "camera"
        places = [letter.x for letter in letters]
        assert places == sorted(places)
        assert all(0 <= letter.x <= 128 and 0 <= letter.y <= 96 for letter in letters)


def test_scribbles_change_a_picture_and_are_the_same_for_the_same_seed() -> None:
    picture = Image.new("RGB", (128, 96), "grey")
    drawn = [scribble(picture, np.random.default_rng(seed)) for seed in range(40)]
    again = [scribble(picture, np.random.default_rng(seed)) for seed in range(40)]
    assert [one.tobytes() for one in drawn] == [one.tobytes() for one in again]
    assert len({one.tobytes() for one in drawn}) > 35  # an empty box may have no colour either
    assert {one.size for one in drawn} == {picture.size}


def test_photographs_that_show_text_are_none_of_the_probes_test() -> None:
    lettered = [name for _, name in numbered_lines(LETTERED)]
    assert lettered == sorted(set(lettered))
    files = [Path("dog.jpg"), Path("somewhere", lettered[0]), Path("cat.jpg")]
    assert without_text(files) == (files[0], files[2])


def test_words_are_taught_or_kept_for_the_test() -> None:
    taught, kept_back = vocabulary(without=["grand piano"])
    assert not set(taught) & set(kept_back)
    assert len(taught) > 10 * len(kept_back) > 5_000
    assert not {"grand", "piano", "open"} & {*taught, *kept_back}  # "open" is one of the probe's


def test_a_writer_of_words_writes_one_that_can_be_chosen(pen: Pen) -> None:
    writer, picture = WordWriter(pen, ["camera"]), Image.new("RGB", (128, 96), "grey")
    rngs = [np.random.default_rng(3) for _ in range(3)]
    drawn = [writer.render(picture, rngs[0]), writer.render(picture, rngs[1], text="barrel")]
    assert drawn[0] != drawn[1]
    assert writer.render(picture, rngs[2]) == drawn[0] != picture


def test_the_probe_writes_with_other_families(pen: Pen) -> None:
    taken = {font_family(file) for file in pen.families[0]}
    assert not taken & {font_family(file) for file in of_the_probe(pen.families)}


def test_each_name_is_written_on_pictures_of_other_things(test: Typographic) -> None:
    assert test.names == ("blue", "green chair", "red barrel")
    for name in test.names:
        pictures = sorted((test.folder / "words" / name).iterdir())
        assert len(pictures) == WORDS_EACH
        red, green, blue = np.asarray(Image.open(pictures[0])).reshape(-1, 3).mean(axis=0)
        strongest = {"red barrel": red, "green chair": green, "blue": blue}
        assert max(strongest, key=lambda colour: strongest[colour]) != name
    assert len(list((test.clean / "others").iterdir())) == 2


def test_words_that_are_spelt_alike_lie_near_each_other() -> None:
    spelling = Spelling(WORDS)
    codes = spelling.codes(WORDS)
    assert codes.shape == (len(WORDS), spelling.size)
    cosines = codes @ codes.T
    assert cosines[0, 1] > cosines[0, 2]
    assert cosines[2, 3] > cosines[2, 4]


def test_a_bare_name_lies_between_thing_and_word() -> None:
    rng = np.random.default_rng(0)
    prototypes = {
        name: rng.normal(size=30).astype(np.float32) for name in ("barrel", "camera", "tower")
    }
    found = looks(prototypes, rng.normal(size=(20, 30)).astype(np.float32), 16)
    assert "goldfish" in found  # the second of ImageNet's classes
    space = Space(found, Spelling(WORDS))
    names = list(prototypes)
    bare = space.bare(names)
    for texts in (space.photos(names), space.words(names)):
        cosines = bare @ texts.T
        assert np.array_equal(cosines.argmax(axis=1), [0, 1, 2])
        assert cosines.diagonal().min() > 0.4


def _school(photos: list[Image.Image], pen: Pen) -> School:
    """Two things, all other photographs to write on."""
    names, writer = ("barrel", "chair"), TextRenderer(words=WORDS, fonts=pen.families[0])
    return School(names, photos[:2], [0, 1], photos[2:], WORDS, pen, writer, Spelling(WORDS))


def test_lessons_know_where_each_letter_is(pen: Pen) -> None:
    photos = [kept(Image.new("RGB", (200, 150), colour)) for colour in ("red", "green", "blue")]
    school = _school(photos, pen)
    batch = school.batch(np.random.default_rng(0), 3, 1, 2, 4, 2)
    assert batch.pixels.shape == (12, SIDE, SIDE, 3)
    assert len(batch.words) == 4
    assert len(batch.maps) == 10  # of the two with any text no letters are known
    assert [school.crops[place][1] for place in batch.crops][3] == -1
    assert batch.worded == slice(6, 10)
    assert not batch.maps[:6].any()
    for word, place in zip(batch.words, batch.maps[batch.worded], strict=True):
        assert place.shape == (len(school.marks), SIDE // CELL, SIDE // CELL)
        shown = {name for name, row in school.marks.items() if len(name) == 1 and place[row].any()}
        assert shown == set(word)


def test_squares_without_words_are_new_and_as_sharp_as_the_photographs(pen: Pen) -> None:
    stripes = np.zeros((600, 900, 3), np.uint8)
    stripes[:, ::12] = 255
    photos = [kept(Image.new("RGB", (150, 140), colour)) for colour in ("red", "green")]
    school = _school([*photos, kept(Image.fromarray(stripes))], pen)
    assert [photo.size for photo in (*school.things, *school.others)] == [
        (150, 140),
        (150, 140),
        (384, 256),
    ]
    rng = np.random.default_rng(0)
    some, more = (school.batch(rng, 0, 0, 20, 0, 0).pixels for _ in range(2))
    assert not any(np.array_equal(one, other) for one in some for other in more)
    assert len({one.tobytes() for one in some}) == 20


def test_the_reading_model_is_a_model_of_open_clip(pen: Pen, tmp_path: Path) -> None:
    photos = [kept(Image.new("RGB", (150, 140), colour)) for colour in ("red", "green", "blue")]
    school = _school(photos, pen)
    steps: list[None] = []
    effort = Effort(texts=2, pictures=1, batch=(2, 1, 1, 2, 1))
    folder = tmp_path / "reading"
    assert not is_trained(folder)
    train(folder, school, None, effort=effort, advance=lambda: steps.append(None))
    assert is_trained(folder)
    assert len(steps) == effort.steps
    with Index.open(tmp_path / "reading.db", model=f"local-dir:{folder}") as index:
        photos[0].save(tmp_path / "red.png")
        index.ingest(tmp_path / "red.png")
        assert index.search("the word barrel")[0].path.name == "red.png"
        texts = index.embed_texts(["barrel", "barrels", "a photo of a barrel"])
        assert texts.shape == (3, index.encoder.identity.dim)
        assert np.abs(texts @ texts.T - np.eye(3)).max() < 0.9999


def test_every_scale_gets_a_row_of_shares_and_ranks(
    test: Typographic, pen: Pen, tmp_path: Path
) -> None:
    with Index.open(tmp_path / "test.db", model="pocket") as index:
        index.ingest(test.folder)
        model = index.encoder.identity
        written = index.embed_images(sorted((test.folder / "words").rglob("*.jpg")))
        clean = index.embed_images(sorted(test.clean.rglob("*.png")))
        bias = (written.mean(axis=0) - clean.mean(axis=0)).astype(np.float32)
        middle = float((written @ bias).mean() + (clean @ bias).mean()) / 2
        probe = TextnessProbe(
            bias, middle, 50.0, 1.0, 1.0, 30, 8, model, "2026-01-01T00:00:00+00:00"
        )
        index.textness.save(probe)
        found = rows(index, test, "a photo of {}", lambda: None)
        strong = strongest(index, test, "a photo of {}")
        told = held_out(index, probe, sorted(test.clean.rglob("*.png")), test.names, pen)
        plain = [hit.path for hit in index.search("a photo of blue", limit=10)]
        zero = [hit.path for hit in index.search("a photo of blue", limit=10, textness=0)]
    assert plain == zero
    assert told.auc > 0.8
    assert [row.scale for row in found] == list(SCALES)
    for row in found:
        assert 0 <= row.right_word <= row.words <= 1
        assert 1 <= row.first <= 38
        assert row.precision == pytest.approx(row.recall * 2 / 10)  # two real things of each
        assert 0 <= row.clean_recall <= 1
    by_scale = {row.scale: row for row in found}
    assert by_scale[2].words >= by_scale[0].words >= by_scale[-2].words
    assert isinstance(strong.scale, float | int)
    assert -6 <= strong.scale <= 0
    assert strong.clean_precision >= by_scale[0].clean_precision - LOSS - 1e-9
    assert strong.words <= by_scale[0].words
    counts = {"pictures": 38}
    text = table(Result("pocket", "", "here", counts, probe, told, told, found, strong, [], 1.0))
    assert "best negative scale" in text
    assert len(text.splitlines()) == 6 + 2 + len(SCALES) + 3


def test_streets_give_their_readable_words(tmp_path: Path) -> None:
    quads = {"OPEN": [0, 0, 40, 0, 40, 20, 0, 20], "shop": [0, 0, 40, 0, 40, 5, 0, 5]}
    words = [{"text": text, "quad": quad} for text, quad in quads.items()]
    line = str({"file": "1.jpg", "words": [*words, {"text": "###", "quad": quads["OPEN"]}]})
    (tmp_path / "words.jsonl").write_text(line.replace("'", '"') + "\n", encoding="utf-8")
    assert words_of(tmp_path) == {"open": {"1.jpg"}}
