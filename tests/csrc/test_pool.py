"""The pool: sized by what the process may use, safe after fork and beside other threads, and never seen in a result."""

import ctypes
import os
import platform
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nlvr.engine import _kernels, kernels

CALLS = {
    "topk by queries": lambda data, threads: kernels.topk(data, data[:300], 300, threads=threads),
    "topk by tracks": lambda data, threads: kernels.topk(data[:3], data, 5, threads=threads),
    "masked_pool": lambda data, threads: kernels.masked_pool(data.reshape(4, 75, 40, 7), BOXES, threads),
    "mask_ratio": lambda data, threads: kernels.mask_ratio(data.reshape(300, 40, 7), BOXES, threads),
    "segment_mean": lambda data, threads: kernels.segment_mean(data, np.arange(0, 1201, 12), threads),
}
BOXES = np.array([[i % 4, i % 3, i % 11, 4 + i % 4, 12 + i] for i in range(29)], np.int32)


@pytest.fixture(scope="module")
def data(wild):
    return wild(11, (1200, 70))


def bits(result):
    return [part.tobytes() for part in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("call", CALLS)
def test_any_number_of_threads_gives_the_same_bits(data, call):
    expected = bits(CALLS[call](data, 1))
    for threads in (None, *range(2, 9), 64, 5000):
        assert bits(CALLS[call](data, threads)) == expected, threads


def test_callers_on_many_threads_share_the_pool(data):
    expected = {name: bits(call(data, 1)) for name, call in CALLS.items()}
    with ThreadPoolExecutor(8) as callers:
        for _ in range(5):
            names = [name for name in CALLS for _ in range(8)]
            for name, result in zip(names, callers.map(lambda name: bits(CALLS[name](data, 3)), names), strict=True):
                assert result == expected[name], name


def test_an_error_in_a_task_leaves_the_pool_usable(data):
    spoiled = data.copy()
    spoiled[700, 3] = np.nan
    for _ in range(20):
        with pytest.raises(kernels.NotANumberError):
            kernels.topk(data[:9], spoiled, 3, threads=8)
    assert bits(CALLS["topk by tracks"](data, 8)) == bits(CALLS["topk by tracks"](data, 1))


FORK = """
import os, signal, sys, threading
import numpy as np
from nlvr.engine import kernels

data = np.random.default_rng(0).standard_normal((5000, 64), np.float32)
expected = kernels.topk(data[:50], data, 9, threads=1)
kernels.topk(data[:50], data, 9, threads=4)
stop = threading.Event()
def load():
    while not stop.is_set():
        kernels.topk(data[:50], data, 9, threads=4)
busy = threading.Thread(target=load)
if sys.argv[1] == "busy":
    busy.start()
try:
    for _ in range(20):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            same = all(np.array_equal(a, b) for a, b in zip(kernels.topk(data[:50], data, 9, threads=4), expected))
            os._exit(0 if same else 3)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
finally:
    stop.set()
print("done")
"""


@pytest.mark.parametrize("pool", ["idle", "busy"])
def test_a_forked_child_has_a_pool_of_its_own(run_python, pool):
    if pool == "busy" and "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the sanitizer's allocator does not survive a fork beside a busy thread")
    done = run_python(FORK, pool, PYTHONWARNINGS="ignore")
    assert done.stdout.strip() == "done", done.stderr


def test_exit_does_not_wait_for_the_pool(run_python):
    script = (
        "import numpy as np; from nlvr.engine import kernels; a = np.ones((900, 64), np.float32);"
        "kernels.topk(a, a, 900, threads=8); print('done')"
    )
    done = run_python(script)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_size_follows_affinity(run_python):
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from nlvr.engine import kernels; print(kernels.pool_size())"
    )
    done = run_python(script)
    assert done.stdout.strip() == "1", done.stderr


def test_size_is_at_most_the_cpus():
    assert 1 <= kernels.pool_size() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000", "cpu.max": "800000 100000"}, 3),
        ("0::/not/seen/inside\n", {"cpu.max": "50000 100000"}, 1),
        (
            "4:cpu,cpuacct:/x\n1:name=systemd:/\n",
            {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"}, 4),
        ("4:cpuacct,cpu:/\n", {"cpuacct,cpu/cpu.cfs_quota_us": "250000", "cpuacct,cpu/cpu.cfs_period_us": "100000"}, 3),
        ("2:cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("no colon\n1:half\n", {}, None),
    ],
)
def test_cgroup_quota_of_both_versions(tmp_path, groups, files, cpus):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert _kernels.cgroup_cpus(str(tmp_path)) == cpus


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc", reason="fenv_t of x86-64 glibc"
)
@pytest.mark.parametrize("control", [0x8040, 0x4000, 0x2000], ids=["denormals flushed", "rounding up", "rounding down"])
@pytest.mark.parametrize("call", CALLS)
def test_the_callers_rounding_changes_nothing(data, call, control):
    libm = ctypes.CDLL("libm.so.6")
    small = data * np.float32(1e-38)
    expected = [bits(CALLS[call](small, threads)) for threads in (1, 4)]
    before, changed = (ctypes.create_string_buffer(32) for _ in range(2))
    libm.fegetenv(before)
    changed.raw = before.raw[:28] + (int.from_bytes(before.raw[28:], "little") | control).to_bytes(4, "little")
    libm.fesetenv(changed)
    try:
        got = [CALLS[call](small, threads) for threads in (1, 4)]
    finally:
        libm.fesetenv(before)
    assert [bits(result) for result in got] == expected
