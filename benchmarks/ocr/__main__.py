"""Measure the reader of `clipsearch read`: `python -m benchmarks.ocr`.

Prints recall and precision for each kind of image, and the time of the processor for an image.
"""

import argparse
from pathlib import Path

from benchmarks.machine import parse_options
from benchmarks.ocr.canvas import FontChoice
from benchmarks.ocr.kinds import KINDS, SampleMaker
from benchmarks.ocr.measure import Counts, measure
from benchmarks.ocr.says_precision import print_precision
from benchmarks.ocr.textness_cut import CUT_KINDS, print_losses
from clipsearch.ocr.reader import load_reader

SIZES = ((0, 18), (18, 32), (32, 1_000))
"""Columns of the table: from and below so many pixels of the font."""


def main() -> None:
    """Parse the options, draw and read the images, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10, help="of each kind (default: 10)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument("--fonts", type=Path, help="a folder of fonts (default: the system's)")
    parser.add_argument(
        "--backgrounds",
        type=Path,
        default=Path("../shared/data/backgrounds"),
        help="a folder of photographs (default: %(default)s, else generated backgrounds)",
    )
    parser.add_argument("--ocr-model", help="as of `clipsearch read`")
    parser.add_argument("--words", action="store_true", help="print what was misread")
    parser.add_argument(
        "--cuts", action="store_true", help="measure what is lost below some textness instead"
    )
    parser.add_argument(
        "--says", action="store_true", help="measure searches in 2,000 generated texts instead"
    )
    options = parse_options(parser)
    if options.says:
        print_precision(options.seed)
        return
    backgrounds = sorted(options.backgrounds.glob("*.jpg"))
    maker = SampleMaker(backgrounds, FontChoice(options.fonts), options.seed)
    if options.cuts:
        print_losses(maker, options.kind or CUT_KINDS, options.images)
        return
    reader = load_reader(options.ocr_model)
    print(f"{reader.name}, {len(backgrounds):,} photographs, {options.images} images of each kind")
    print(
        "\n| image | 12 px | 18–31 px | from 32 px | precision | CPU s |\n|---|--:|--:|--:|--:|--:|"
    )
    total = Counts()
    for kind in options.kind or KINDS:
        counts = measure(reader, (maker.make(kind, number) for number in range(options.images)))
        print(_row(kind, counts), flush=True)
        if options.words:
            print(f"  missed: {', '.join(counts.missed[:30])}")
            print(f"  invented: {', '.join(counts.invented[:30])}")
        _add(total, counts)
    print(_row("all", total))


def _row(kind: str, counts: Counts) -> str:
    columns = [
        f"{counts.recall(low, high):.3f}"
        if any(low <= size < high for size in counts.written)
        else ""
        for low, high in SIZES
    ]
    seconds = counts.seconds / max(counts.images, 1)
    precision = f"{counts.precision:.3f}" if counts.written else f"{counts.false} words"
    return f"| {kind} | {' | '.join(columns)} | {precision} | {seconds:.2f} |"


def _add(total: Counts, counts: Counts) -> None:
    total.written += counts.written
    total.read += counts.read
    total.false += counts.false
    total.words += counts.words
    total.images += counts.images
    total.seconds += counts.seconds


if __name__ == "__main__":
    main()
