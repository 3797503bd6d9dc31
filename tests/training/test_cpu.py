"""That freed memory is kept and given back where the C library can, and that nothing happens where it cannot."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nlvr.training.cpu import keep_freed_memory, release_freed_memory


def test_a_c_library_without_the_setting_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()
    release_freed_memory()


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_was_freed_between_what_is_kept_is_given_back_when_asked(tmp_path):
    """In a process of its own, as above: of 256 MB that are freed, little is held."""
    code = """
from pathlib import Path
from nlvr.training.cpu import keep_freed_memory, release_freed_memory
keep_freed_memory()
def held():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("RssAnon"))
large, kept = [], []
for _ in range(64):
    large.append(bytearray(4 << 20))
    kept.append(bytearray(5000))
del large
before = held()
release_freed_memory()
assert before - held() > 200_000, (before, held())
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
