"""What is lost if images of little textness are not read."""

from collections.abc import Sequence

import numpy as np

from benchmarks.ocr.kinds import SampleMaker
from clipsearch.models.embedding import embed_images
from clipsearch.models.registry import load
from clipsearch.textness.collection_textness import load_bundled_probe

CUTS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05)
CUT_KINDS = (
    "blank",
    "photograph, 1024 px",
    "photograph, 4000 px",
    "photograph, 90°",
    "page",
    "receipt",
    "sign",
)


def print_losses(maker: SampleMaker, kinds: Sequence[str], images: int) -> None:
    """Print the share of the words in images below each cut, by the probe of `pocket`.

    For blank images it is the share of the images, which need not be read.
    """
    encoder = load("pocket")
    probe = load_bundled_probe(encoder.identity)
    assert probe is not None, "pocket has a probe"
    print("| image | " + " | ".join(map(str, CUTS)) + " |\n|---|" + "--:|" * len(CUTS))
    for kind in kinds:
        samples = [maker.make(kind, number) for number in range(images)]
        scores = probe.score(embed_images(encoder, [sample.image for sample in samples]))
        words = np.array([len(sample.texts) or int(kind == "blank") for sample in samples])
        lost = [float(words[scores < cut].sum() / words.sum()) for cut in CUTS]
        print(f"| {kind} | " + " | ".join(f"{share:.2f}" for share in lost) + " |", flush=True)
