"""How measurements grow with the number of rows, and what they would be for many more."""

from collections.abc import Mapping, Sequence

import numpy as np

from clipsearch.store.capabilities import server_capabilities
from clipsearch.store.index.choice import choose_kind

PROJECTED = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
SERVER = "3.0.1"
"""The version whose kinds of index the arithmetic uses."""

ROW_BYTES = 400
"""Disk of a row without its vector: path, hash, numbers, tags."""


def exponent(sizes: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Fit values = factor · sizes ** exponent; return factor and exponent.

    Values of 0, too fast to measure, are left out. Raises ValueError if fewer than two remain.
    """
    known = [(size, value) for size, value in zip(sizes, values, strict=True) if value > 0]
    if len(known) < 2:
        raise ValueError("a fit needs two sizes")
    x, y = np.log(np.array(known)).T
    slope, intercept = np.polyfit(x, y, 1)
    return float(np.exp(intercept)), float(slope)


def growth_rows(
    results: Sequence[Mapping[str, str | float]], store: str
) -> list[dict[str, str | float]]:
    """Return a table row for each measure of a store: its exponent and its projection."""
    chosen = [result for result in results if result["store"] == store]
    sizes = [int(result["rows"]) for result in chosen]
    table: list[dict[str, str | float]] = []
    names = [name for name in (chosen[0] if chosen else {}) if name not in ("store", "rows")]
    for name in names:
        try:
            factor, slope = exponent(sizes, [float(result[name]) for result in chosen])
        except ValueError:
            continue
        row: dict[str, str | float] = {"store": store, "measure": name, "exponent": round(slope, 2)}
        for rows in PROJECTED:
            row[f"{rows:.0e}"] = float(f"{factor * rows**slope:.2g}")
        table.append(row)
    return table


def arithmetic_rows(dim: int) -> list[dict[str, str | float]]:
    """Return a table row for each of PROJECTED: the index of `auto`, its memory and disk in GB."""
    table: list[dict[str, str | float]] = []
    for rows in PROJECTED:
        kind = choose_kind("auto", server_capabilities(SERVER, "http://127.0.0.1"), rows=rows)
        stored = 4 * dim + ROW_BYTES
        table.append(
            {
                "rows": rows,
                "index": kind.name,
                "memory GB": round(rows * kind.ram_bytes(dim) / 1e9, 1),
                "local disk GB": round(rows * kind.disk_bytes(dim) / 1e9, 1),
                "object storage GB": round(rows * (stored + kind.ram_bytes(dim)) / 1e9, 1),
            }
        )
    return table
