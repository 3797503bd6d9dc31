"""This process as training on a CPU needs it."""

from __future__ import annotations

import ctypes

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_MOST, _OLDER_MOST = 2**31 - 1, 2**25  # bytes


def prepare() -> None:
    """Make what this process does on a CPU faster; to be called before PyTorch has made its threads.

    Attention makes many numbers below float32's normal range, and some CPUs take many times as long for each.
    """
    keep_freed_memory()
    torch.set_flush_denormal(True)


def release_freed_memory() -> None:
    """Give back what has been freed: what a process keeps lies between what it freed, and would be held for good."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_freed_memory() -> None:
    """Have this process keep large blocks that it frees, for the next of their size.

    glibc gives them back to the system, which clears each page again when it is next touched: three times the cost of a
    backbone's layers. Other C libraries have no such setting, and are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # Once it is told one of them, glibc adapts neither; older ones refuse a threshold above 32 MiB.
    if mallopt is not None and (mallopt(_MMAP_THRESHOLD, _MOST) or mallopt(_MMAP_THRESHOLD, _OLDER_MOST)):
        mallopt(_TRIM_THRESHOLD, _MOST)
