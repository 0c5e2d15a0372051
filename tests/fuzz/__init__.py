"""Damaged files of every format, decoded: `python -m tests.fuzz --mutants 50000 --seed 1`."""
