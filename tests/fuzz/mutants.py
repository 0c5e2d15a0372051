"""Mutants: files that were damaged by chance, by a storage medium or by an attacker."""

import random
import re
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
_MOST_BYTES = 2_000_000

# What begins a part: a chunk of PNG or a box of ISO base media, a chunk of RIFF, a segment of JPEG,
# a resource of PSD, a block of GIF, an element of SVG.
_PARTS = re.compile(
    rb"(?=[\0-\x03].{3}[A-Za-z]{4}|[A-Z0-9 ]{4}.{3}\0|\xff[\xc0-\xfe]|8BIM|[!,]\xf9|<)", re.DOTALL
)


def mutate(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return a file with one to four damages; parts of `others` may be spliced in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        damage = rng.choice(_DAMAGES)
        out = damage(out, others, rng)[:_MOST_BYTES] or bytearray(data)
    if out[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.7:
        _correct_checksums(out)
    return bytes(out)


Damage = Callable[[bytearray, tuple[bytes, ...], random.Random], bytearray]


def _flip_bits(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    for _bit in range(rng.choice((1, 1, 4, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _write_run(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 40, 500))
    fill = rng.choice((b"\0", b"\xff", b"", b"A"))
    run = fill * length if fill else rng.randbytes(length)
    data[at : at + length] = run[: max(1, len(data) - at)]
    return data


def _truncate(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    return data[: rng.randrange(1, len(data) + 1)]


def _splice(data: bytearray, others: tuple[bytes, ...], rng: random.Random) -> bytearray:
    other = rng.choice(others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _insert(data: bytearray, others: tuple[bytes, ...], rng: random.Random) -> bytearray:
    other, at = rng.choice(others), rng.randrange(len(data))
    start = rng.randrange(len(other))
    data[at:at] = other[start : start + rng.choice((1, 8, 100, 5000))]
    return data


def _set_number(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    """Set a number to an extreme, or change it a little: often in the header."""
    size = rng.choice((1, 2, 2, 4, 4, 8))
    if len(data) <= size:
        return data
    end = min(len(data), rng.choice((64, 64, 512, len(data)))) - size
    at = rng.randrange(max(1, end))
    order: Literal["little", "big"] = "little" if rng.random() < 0.5 else "big"
    value = rng.choice(_EXTREMES)
    if rng.random() < 0.4:
        value = int.from_bytes(data[at : at + size], order) + rng.choice((-1, 1, 256, -256, 9999))
    data[at : at + size] = (value % 256**size).to_bytes(size, order)
    return data


def _parts(data: bytearray) -> list[tuple[int, int]]:
    starts = [found.start() for found in _PARTS.finditer(data)][:5000]
    return list(pairwise([*starts, len(data)]))


def _remove_part(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    if parts := _parts(data):
        start, end = rng.choice(parts)
        del data[start:end]
    return data


def _repeat_part(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    if parts := _parts(data):
        start, end = rng.choice(parts)
        times = rng.choice((1, 2, 1000))
        data[start:start] = data[start:end][: _MOST_BYTES // times] * times
    return data


def _move_part(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    if parts := _parts(data):
        start, end = rng.choice(parts)
        part = data[start:end]
        del data[start:end]
        at = rng.choice(parts)[0]
        data[at:at] = part
    return data


def _change_digits(data: bytearray, _: tuple[bytes, ...], rng: random.Random) -> bytearray:
    """Change a number that is written as text."""
    if found := list(re.finditer(rb"\d+", data))[:2000]:
        start, end = rng.choice(found).span()
        data[start:end] = rng.choice((b"0", b"-1", b"1e9", b"99999999999", b"65536", b"0.0001"))
    return data


_DAMAGES: tuple[Damage, ...] = (
    _flip_bits,
    _flip_bits,
    _write_run,
    _truncate,
    _splice,
    _insert,
    _set_number,
    _set_number,
    _set_number,
    _remove_part,
    _repeat_part,
    _move_part,
    _change_digits,
)


def _correct_checksums(data: bytearray) -> None:
    """Let the damage of a PNG reach the code behind its checksums."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
