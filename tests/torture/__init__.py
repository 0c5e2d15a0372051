"""Kills inside writing commands, counted: `python -m tests.torture --kills 500 --seed 1`."""
