"""Keeping a long-running process small."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX, _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -8, -1, -3  # malloc.h


def configure() -> None:
    """Before start-up: few malloc arenas, memory returned early, and a collector that does not run for each handful of objects."""
    gc.set_threshold(20_000, 20, 50)
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 2)
        libc.mallopt(_M_TRIM_THRESHOLD, 512 * 1024)
        libc.mallopt(_M_MMAP_THRESHOLD, 256 * 1024)
    except (OSError, AttributeError):
        pass  # not glibc


def freeze() -> None:
    """After start-up: what exists now stays, so the collector need not look at it again; what start-up has freed goes back."""
    gc.collect()
    gc.freeze()
    trim()


def trim() -> None:
    """Give free memory back to the system."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        pass


def resident() -> int:
    """Bytes of memory in use, as the kernel counts them."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
