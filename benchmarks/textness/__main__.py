"""The command: `python -m benchmarks.textness ../shared/data/objects --reading-model`."""

import argparse
import logging
import sys
from pathlib import Path

import benchmarks.textness
from benchmarks.machine import parse_options
from benchmarks.speed.random_checkpoint import require
from clipsearch.errors import ClipsearchError


def main() -> None:
    """Measure each model; print its metrics and write them as JSON."""
    options = _parse_options()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    require("open_clip")
    from benchmarks.textness.measurement import measure_models  # imports torch

    try:
        measure_models(options)
    except (ClipsearchError, OSError) as error:
        sys.exit(f"Error: {error}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.textness", description=benchmarks.textness.__doc__
    )
    parser.add_argument("folder", type=Path, help="a folder with a folder of images for each class")
    parser.add_argument("--model", action="append", help="default: pocket; may be repeated")
    parser.add_argument(
        "--reading-model",
        action="store_true",
        help="also train and measure a small CLIP that reads text",
    )
    parser.add_argument(
        "--others",
        type=Path,
        action="append",
        help="everyday images without text (default: FOLDER/../backgrounds); may be repeated",
    )
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        help=(
            "images of anything: three quarters to draw text on in training, the others "
            "for the probe's fit (default: FOLDER/../flickr8k/images and "
            "FOLDER/../imagenet_sample); may be repeated"
        ),
    )
    parser.add_argument(
        "--streets",
        type=Path,
        help="street scenes with words.jsonl (default: FOLDER/../scene_text)",
    )
    parser.add_argument(
        "--prompt", default="{}", help='a query with {} for the name, such as "a photo of {}"'
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(".cache/textness"),
        help="folder for fonts and the reading model (default: %(default)s)",
    )
    options = parse_options(parser)
    if "{}" not in options.prompt:
        parser.error("--prompt needs a {} for the name of the object")
    return options


if __name__ == "__main__":
    main()
