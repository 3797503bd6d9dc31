"""That freed memory is kept where the C library can, and that nothing happens where it cannot."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nlvr.training.cpu import keep_freed_memory


def test_a_c_library_without_the_setting_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()


@pytest.mark.parametrize("most", [2**31 - 1, 2**25])
def test_the_largest_threshold_is_asked_for_that_is_not_refused(monkeypatch, most):
    asked = []

    def mallopt(what, value):
        asked.append((what, value))
        return int(what == -1 or value <= most)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    keep_freed_memory()
    assert asked[-2:] == [(-3, most), (-1, 2**31 - 1)]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_large_block_is_not_cleared_again(tmp_path):
    """In a process of its own, which it changes: pages of a second block are those of the first."""
    code = """
import resource
from nlvr.training.cpu import keep_freed_memory
keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    before = faults()
    block = bytearray(64 << 20)
    block[::4096] = bytes(len(block) // 4096)
    return faults() - before
first, second = use(), use()
assert second < first / 100, (first, second)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
