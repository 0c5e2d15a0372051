"""Benchmarks of speed and memory; each measures all sides by turns in one run."""
