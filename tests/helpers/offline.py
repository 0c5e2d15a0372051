"""Tests reach this machine only: what they start in a network of its own, and Python is watched."""

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x4000_0000  # linux/sched.h
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h

attempts: list[str] = []
"""Addresses outside this machine that this process tried to reach, or names that it looked up."""


def leave_network() -> bool:
    """Move this process into a network that has the loopback device only; tell whether it could.

    Call it before there are threads. All child processes inherit it. It needs root on Linux, and a
    Milvus server for the tests must not be outside: `CLIPSEARCH_TEST_MILVUS_URI`, a container.
    """
    is_outside = "CLIPSEARCH_TEST_MILVUS_URI" in os.environ or Path("/var/run/docker.sock").exists()
    if sys.platform != "linux" or is_outside:
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    with socket.socket() as anything:
        fcntl.ioctl(anything, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    return True


def watch_sockets() -> None:
    """Refuse connections of this process to other machines, and note them in `attempts`."""
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if _address(host) is None:  # nobody is asked about a number
            _check(host)
        return resolve(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(arguments[-1][0])
        return method(self, *arguments)

    return guarded


def _check(host: Any) -> None:
    address = _address(host)
    if address is None:
        is_local = host in (None, "", b"", "localhost", b"localhost")
    else:
        is_local = address.is_loopback or address.is_unspecified
    if not is_local:
        attempts.append(str(host))
        raise OSError(f"tests may not reach {host}")


def _address(host: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
