"""Find the images that show most text, such as screenshots and receipts, and move them to a folder.

    python examples/move_screenshots.py ~/Pictures ~/Screenshots          # only list them
    python examples/move_screenshots.py ~/Pictures ~/Screenshots --move

Look at the list before you move anything: signs and book covers show text too.
"""

import argparse
import shutil
from pathlib import Path

from clipsearch import Filters, Index

MANY = 10_000


def main() -> None:
    """Ingest the folder, rank its images by textness, and list or move those above the limit."""
    parser = argparse.ArgumentParser(description="Move images with much text to another folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--min-textness", type=float, default=0.9, metavar="0..1")
    parser.add_argument("--move", action="store_true", help="move the files; without it, list them")
    options = parser.parse_args()

    with Index.open() as index:
        index.ingest(options.folder)
        hits = index.rank_by_text(
            limit=MANY,
            filters=Filters(under=options.folder),
            min_textness=options.min_textness,
        )
        for hit in hits:
            print(f"{hit.textness:.2f}  {hit.path}")
            if options.move:
                options.destination.mkdir(parents=True, exist_ok=True)
                target = options.destination / hit.path.name
                if target.exists():
                    print(f"      not moved: {target} exists")
                else:
                    shutil.move(hit.path, target)


if __name__ == "__main__":
    main()
