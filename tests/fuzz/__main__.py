"""Decode damaged files of every format and count crashes, hangs and broken limits.

    python -m tests.fuzz --mutants 50000 --seed 1

Prints the counts as JSON; exits with 1 if anything went wrong.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.fuzz.fuzzing import FAULTS, Fuzzing
from tests.fuzz.originals import FORMATS


def main() -> int:
    """Run the mutants that the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=5_000, help="how many (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--max-memory", default="500M", help="as of `ingest` (default: 500M)")
    parser.add_argument("--format", action="append", help="only this one; may be repeated")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that went wrong")
    parser.add_argument("--refusals", action="store_true", help="print the errors, counted")
    options = parser.parse_args()
    fuzzing = Fuzzing(seed=options.seed, max_memory=options.max_memory, keep=options.keep)
    fuzzing.run(options.mutants, tuple(options.format or FORMATS))
    result = fuzzing.result()
    print(json.dumps(result, indent=2))
    if options.refusals:
        for reason, count in fuzzing.refusals.most_common():
            print(f"{count:6} {reason}", file=sys.stderr)
    return 1 if any(result["faults"][fault] for fault in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
