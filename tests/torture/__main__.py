"""Kill writing commands at random moments and count what is lost.

    python -m tests.torture --kills 500 --seed 1

Prints the counts as JSON; exits with 1 if anything was lost or wrong.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.torture.kills import DAEMON_SHARE, WEIGHTS, Torture


def main() -> int:
    """Run the kills that the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--images", type=int, default=320, help="files (default: 320)")
    parser.add_argument("--operation", action="append", choices=WEIGHTS, help="only this one")
    parser.add_argument(
        "--daemon-share",
        type=float,
        default=DAEMON_SHARE,
        metavar="0..1",
        help=f"how many write through a daemon (default: {DAEMON_SHARE})",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        torture = Torture(
            Path(folder),
            images=options.images,
            seed=options.seed,
            daemon_share=options.daemon_share,
        )
        for number in range(options.kills):
            torture.kill(options.operation or ())
            if (number + 1) % 20 == 0:
                print(f"{number + 1} kills", file=sys.stderr, flush=True)
        print(json.dumps(torture.result(), indent=2))
    return 1 if torture.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
