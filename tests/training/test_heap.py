"""That freed memory is kept where the C library can, and that nothing happens where it cannot."""

from __future__ import annotations

import ctypes
import platform
from types import SimpleNamespace

import pytest

from nlvr.training.heap import keep_freed_memory


def test_a_c_library_without_the_setting_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()


def test_large_blocks_come_from_the_heap_from_then_on(monkeypatch):
    asked = {}
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=asked.__setitem__))
    keep_freed_memory()
    assert asked == {-1: 2**31 - 1, -3: 2**31 - 1}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_glibc_takes_the_settings():
    taken = ctypes.CDLL(None).mallopt
    assert taken(-1, 2**31 - 1) == taken(-3, 2**31 - 1) == 1
