"""The embedded model: shapes, order, errors, imports and quality."""

import json
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from clipsearch.errors import ModelError, VectorError
from clipsearch.models.base import Encoder
from clipsearch.models.openvino_runtime import Graph
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder
from clipsearch.vectors import normalize


@pytest.fixture(scope="module")
def pocket() -> PocketEncoder:
    return PocketEncoder()


def drawn(hue: int, size: tuple[int, int] = (320, 200)) -> Image.Image:
    """A disc on a plain ground, in a colour of its own."""
    image = Image.new("HSV", size, (hue, 120, 220)).convert("RGB")
    ImageDraw.Draw(image).ellipse((40, 40, 160, 160), fill=(250 - hue, hue, 90))
    return image


def test_it_is_an_encoder_of_512_dimensions(pocket: PocketEncoder) -> None:
    encoder: Encoder = pocket
    assert encoder.identity.name == "pocket"
    assert encoder.identity.dim == 512
    # Stored collections hold this text; with another one they could not be opened any more.
    assert encoder.identity.preprocessing == "whole picture squashed; bicubic 224x224 RGB"
    assert len(encoder.identity.weights) >= 16


def test_the_shipped_files_stay_under_sixty_megabytes() -> None:
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) <= 60e6
    assert (WEIGHTS / "NOTICE").is_file()
    assert (WEIGHTS / "MODEL_CARD.md").is_file()


def test_an_image_of_any_shape_becomes_a_square(pocket: PocketEncoder) -> None:
    for size in [(1, 1), (3, 900), (900, 3), (224, 224), (4000, 2500)]:
        pixels = pocket.preprocess(Image.new("RGB", size, "red"))
        assert pixels.shape == (224, 224, 3)
        assert pixels.dtype == np.uint8
        assert (pixels == [255, 0, 0]).all()


def test_images_keep_their_order_at_any_batch_size(pocket: PocketEncoder) -> None:
    pixels = [pocket.preprocess(drawn(hue)) for hue in range(0, 250, 50)]
    together = normalize(pocket.encode_images(pixels))
    assert together.shape == (5, 512)
    assert together.dtype == np.float32
    for row, one in zip(together, pixels, strict=True):
        alone = normalize(pocket.encode_images([one]))[0]
        assert alone @ row > 0.999
        assert (alone @ together.T).argmax() == (row @ together.T).argmax()


def test_texts_keep_their_order_and_padding_changes_nothing(pocket: PocketEncoder) -> None:
    texts = ["a dog", "two people play tennis on a court while others watch them", "a red car"]
    together = normalize(pocket.encode_texts(texts))
    alone = normalize(np.concatenate([pocket.encode_texts([text]) for text in texts]))
    assert together.shape == (3, 512)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize(
    "text", ["", "   ", "東京の夜景", "🐕", "\x00\ud7ff", "word " * 5000, "x" * 5000]
)
def test_any_text_has_a_nonzero_vector(pocket: PocketEncoder, text: str) -> None:
    vector = normalize(pocket.encode_texts([text]))
    assert vector.shape == (1, 512)


def test_case_is_ignored_and_words_after_the_limit_are_cut_off(pocket: PocketEncoder) -> None:
    same = pocket.encode_texts(["A Dog", "a dog"])
    np.testing.assert_allclose(same[0], same[1], atol=1e-5)
    cut = pocket.encode_texts(["cat " * 254, "cat " * 254 + "dog " * 50])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)


def test_nothing_in_gives_nothing_out(pocket: PocketEncoder) -> None:
    assert pocket.encode_images([]).shape == (0, 512)
    assert pocket.encode_texts([]).shape == (0, 512)


def test_arrays_of_another_shape_are_errors(pocket: PocketEncoder) -> None:
    good = pocket.preprocess(drawn(10))
    for bad in (good[:1], good.astype(np.float32), np.zeros((3, 224, 224), np.uint8)):
        with pytest.raises(VectorError, match="preprocess"):
            pocket.encode_images([good, bad])


def test_threads_share_one_encoder() -> None:
    encoder = PocketEncoder()
    pixels = [encoder.preprocess(drawn(hue)) for hue in range(0, 240, 30)]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda p: encoder.encode_images([p])[0], pixels))
        texts = list(pool.map(lambda t: encoder.encode_texts([t])[0], "abcdefgh"))
    np.testing.assert_allclose(
        images, [encoder.encode_images([p])[0] for p in pixels], rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(texts, [encoder.encode_texts([t])[0] for t in "abcdefgh"], atol=1e-5)


def test_chunks_give_the_same_as_the_whole_batch(pocket: PocketEncoder) -> None:
    pixels = np.stack([pocket.preprocess(drawn(hue)) for hue in range(0, 250, 50)])
    whole = Graph(WEIGHTS / "image.xml")(pixels)
    np.testing.assert_allclose(Graph(WEIGHTS / "image.xml", chunk=2)(pixels), whole, atol=1e-3)


def test_a_text_query_imports_neither_torch_nor_the_image_tower() -> None:
    code = """
import json, sys
from clipsearch.models.pocket.encoder import PocketEncoder
light = sorted({"openvino", "tokenizers", "torch", "PIL"} & set(sys.modules))
encoder = PocketEncoder()
encoder.encode_texts(["a dog"])
heavy = {"torch", "transformers", "open_clip", "pymilvus", "openvino_telemetry.main", "timm"}
print(json.dumps([light, sorted(heavy & set(sys.modules)), not encoder._image.is_loaded]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [[], [], True]


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json"):
        _ = PocketEncoder(tmp_path / "nowhere").identity
    folder = tmp_path / "pocket"
    shutil.copytree(WEIGHTS, folder)
    (folder / "text.bin").write_bytes(b"short")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "image.xml").unlink()
    broken = PocketEncoder(folder)
    with pytest.raises(ModelError, match=r"tokenizer\.json.*install"):
        broken.encode_texts(["a"])
    with pytest.raises(ModelError, match=r"image\.xml is missing"):
        broken.encode_images([broken.preprocess(drawn(1))])
    with pytest.raises(ModelError, match=r"text\.xml cannot be read"):
        Graph(folder / "text.xml")(np.ones((1, 2), np.int64), np.ones((1, 2), np.int64))


OF_OLDER_PROCESSORS = """
import sys, numpy as np
from clipsearch.models.openvino_runtime import Graph
from clipsearch.models.pocket.encoder import WEIGHTS
pixels = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
np.save(sys.argv[1], Graph(WEIGHTS / "image.xml", chunk=2)(pixels // 3 + 80))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="sets of x86")
def test_no_sum_overflows_without_newer_instructions(tmp_path: Path) -> None:
    seen = {}
    for instructions in ("DEFAULT", "AVX2"):
        path = tmp_path / f"{instructions}.npy"
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
        command = [sys.executable, "-c", OF_OLDER_PROCESSORS, str(path)]
        subprocess.run(command, env=environment, check=True, timeout=120)
        seen[instructions] = normalize(np.load(path))
    assert (seen["DEFAULT"] * seen["AVX2"]).sum(axis=1).min() > 0.9999
