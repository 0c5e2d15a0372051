"""Benchmarks: speed and memory, and textness against typographic attacks."""
