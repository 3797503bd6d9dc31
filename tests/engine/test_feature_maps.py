from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.errors import InputError, OutputError
from nlvr.engine.feature_maps import FeatureMaps

SHAPE, NBYTES = (2, 3, 4), 96  # of a float32 map


def feature_map(seed, shape=SHAPE, dtype=np.float32):
    """A map of random bits, so that it holds NaNs of every payload, subnormals and negative zeros."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(bytearray(np.random.default_rng(seed).bytes(size)), dtype).reshape(shape)


def bits(features):
    return None if features is None else (features.dtype, features.shape, features.tobytes())


def channels_last(features):
    return np.ascontiguousarray(features.transpose(1, 2, 0)).transpose(2, 0, 1)


def every_other_row(features):
    return np.repeat(features, 2, axis=1)[:, ::2]


def open_files(folder, process="self"):
    """What a process holds open below a folder, whether or not it has a name there."""
    names = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of this listing
            names.append(str(link.readlink()))
    return [name for name in names if name.startswith(f"{folder}/")]


@contextmanager
def full_disk(after):
    """Let no file of this process grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def limited(step, most):
    """Return pwrite or preadv moving at most so many bytes a call."""
    if step is os.pwrite:
        return lambda descriptor, data, offset: step(descriptor, data[:most], offset)
    return lambda descriptor, buffers, offset: step(descriptor, [buffers[0][:most]], offset)


@given(
    st.tuples(*[st.integers(1, 3)] * 3),
    st.sampled_from([np.float16, np.float32]),
    st.integers(0, 500),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 99), st.sampled_from(["put", "get"]))),
    st.sampled_from([np.array, channels_last, every_other_row]),
    st.integers(1, 200),
)
def test_a_store_is_a_dictionary_of_bits_whatever_its_budget(shape, dtype, budget, steps, layout, most):
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    reference = {}
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        FeatureMaps(memory_bytes=budget, directory=folder) as maps,
    ):
        patch.setattr(os, "pwrite", limited(os.pwrite, most))
        patch.setattr(os, "preadv", limited(os.preadv, most))
        for frame, seed, step in steps:
            if step == "put":
                features = layout(feature_map(seed, shape, dtype))
                reference.setdefault(frame, bits(features))
                maps.put(frame, features)
                features[:] = 0  # the caller's buffer is its own again
            found = maps.get(frame)
            assert bits(found) == reference.get(frame)
            assert found is None or (found.flags.c_contiguous and not found.flags.writeable)
            assert len(maps) == len(reference)
            assert maps.memory_bytes_used == min(len(reference), budget // nbytes) * nbytes <= budget
            assert maps.spilled == max(0, len(reference) - budget // nbytes)
            assert not any(Path(folder).iterdir())
        assert {frame: bits(maps.get(frame)) for frame in "abcdef" if frame in maps} == reference


def test_a_map_does_not_keep_the_batch_it_was_cut_from():
    batch = np.zeros((8, *SHAPE), np.float32)
    maps = FeatureMaps(memory_bytes=NBYTES)
    maps.put("a", batch[3])
    assert maps.get("a").base is None


def test_maps_that_fit_touch_no_disk(tmp_path):
    with FeatureMaps(memory_bytes=NBYTES, directory=tmp_path / "nowhere") as maps:
        maps.put("a", feature_map(1))
        with pytest.raises(OutputError):
            maps.put("b", feature_map(2))
        assert ("a" in maps, "b" in maps, len(maps), maps.spilled) == (True, False, 1, 0)


def test_a_closed_store_holds_and_takes_nothing(tmp_path):
    maps = FeatureMaps(memory_bytes=NBYTES, directory=tmp_path)
    for frame in "abc":
        maps.put(frame, feature_map(1))
    assert len(open_files(tmp_path)) == 1
    maps.close()
    maps.close()
    assert not open_files(tmp_path)
    assert (len(maps), maps.memory_bytes_used, maps.spilled) == (0, 0, 0)
    for frame in "abc":
        assert maps.get(frame) is None
        assert frame not in maps
    with pytest.raises(ValueError, match=r"^cam/img1/000007\.jpg: .*closed"):
        maps.put("cam/img1/000007.jpg", feature_map(1))


@pytest.mark.parametrize("budget", [0, NBYTES])
@pytest.mark.parametrize(
    ("features", "words"),
    [
        (feature_map(1, (3, 2, 4)), "float32 [3, 2, 4]"),
        (feature_map(1, SHAPE[:2]), "float32 [2, 3]"),
        (feature_map(1, SHAPE, np.float16), "float16 [2, 3, 4]"),
        (np.zeros(SHAPE, ">f4"), ">f4 [2, 3, 4]"),
    ],
)
def test_a_map_unlike_the_first_is_refused(budget, features, words):
    with FeatureMaps(memory_bytes=budget) as maps:
        maps.put("first.jpg", feature_map(1))
        for frame in ("second.jpg", "first.jpg"):
            with pytest.raises(ValueError, match=rf"^{frame}: ") as caught:
                maps.put(frame, features)
            assert words in str(caught.value)
            assert "float32 [2, 3, 4]" in str(caught.value)
        assert len(maps) == 1
        assert bits(maps.get("first.jpg")) == bits(feature_map(1))


@pytest.mark.parametrize("features", [np.zeros(SHAPE), np.zeros(SHAPE, object), np.zeros(SHAPE[:2], np.float32)])
def test_what_is_no_feature_map_does_not_decide(features):
    with FeatureMaps(memory_bytes=0) as maps:
        with pytest.raises(ValueError, match=r"^first\.jpg: .* not (float64|object|float32) \["):
            maps.put("first.jpg", features)
        maps.put("first.jpg", feature_map(1))
        assert bits(maps.get("first.jpg")) == bits(feature_map(1))


def test_a_negative_budget_is_refused():
    with pytest.raises(InputError, match=r"^memory_bytes: is -1; give 0 or more$"):
        FeatureMaps(memory_bytes=-1)


@pytest.mark.parametrize("torn", [0, 1, NBYTES - 1])
def test_a_full_disk_is_an_error_and_costs_only_the_map_it_refused(tmp_path, torn):
    with FeatureMaps(memory_bytes=NBYTES, directory=tmp_path) as maps:
        for frame in range(3):
            maps.put(str(frame), feature_map(frame))
        with full_disk(2 * NBYTES + torn), pytest.raises(OutputError) as caught:
            maps.put("3", feature_map(3))
        assert str(caught.value).startswith(f"{tmp_path}: ")
        for words in ("cannot be written (File too large)", "--feature-cache", "TMPDIR"):
            assert words in str(caught.value)
        assert ("3" in maps, maps.get("3"), len(maps), maps.spilled) == (False, None, 3, 2)
        for frame in (4, 3):
            maps.put(str(frame), feature_map(frame))
        for frame in range(5):
            assert bits(maps.get(str(frame))) == bits(feature_map(frame))
    assert not any(tmp_path.iterdir())


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("pwrite", [no_space, lambda *_: 0], ids=["refuses", "takes nothing"])
def test_a_disk_without_space_names_the_systems_folder(tmp_path, monkeypatch, pwrite):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "pwrite", pwrite)
    with FeatureMaps(memory_bytes=0) as maps, pytest.raises(OutputError) as caught:
        maps.put("a", feature_map(1))
    assert str(caught.value) == (
        f"{tmp_path}: the feature maps that memory does not hold cannot be written (No space left on device); "
        "hold more of them with a larger --feature-cache, or set TMPDIR to a folder with more room"
    )


@pytest.mark.parametrize(("place", "reason"), [("nowhere", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_cannot_hold_the_file_is_named(tmp_path, place, reason):
    (tmp_path / "file").write_bytes(b"kept")
    with FeatureMaps(memory_bytes=0, directory=tmp_path / place) as maps, pytest.raises(OutputError) as caught:
        maps.put("a", feature_map(1))
    assert str(caught.value).startswith(f"{tmp_path / place}: ")
    for words in (f"cannot be written ({reason})", "--feature-cache", "TMPDIR"):
        assert words in str(caught.value)


def test_a_system_without_a_temporary_folder_is_an_error(monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with FeatureMaps(memory_bytes=0) as maps, pytest.raises(OutputError, match=r"^the temporary folder: .*No usable"):
        maps.put("a", feature_map(1))


@pytest.mark.parametrize("step", ["dup", "preadv", "preadv ends"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path, monkeypatch, step):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    with FeatureMaps(memory_bytes=0, directory=tmp_path) as maps:
        maps.put("a", feature_map(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, step.split()[0], fail if step != "preadv ends" else lambda *_: 0)
            with pytest.raises(OutputError) as caught:
                maps.get("a")
        assert str(caught.value).startswith(f"{tmp_path}: ")
        assert "cannot be read back (" in str(caught.value)
        assert len(open_files(tmp_path)) == 1
        assert bits(maps.get("a")) == bits(feature_map(1))


@pytest.mark.parametrize("budget", [0, 20 * NBYTES, 1000 * NBYTES])
def test_threads_may_put_and_get_the_same_frames(budget):
    frames, failures = [str(number) for number in range(60)], []

    def work(seed):
        for number in np.random.default_rng(seed).permutation(60).repeat(2):
            found = maps.get(frames[number])
            if found is not None and bits(found) != bits(feature_map(number)):
                failures.append(number)
            maps.put(frames[number], feature_map(number))
            if bits(maps.get(frames[number])) != bits(feature_map(number)):
                failures.append(number)

    with FeatureMaps(memory_bytes=budget) as maps:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert not failures
        assert len(maps) == 60
        assert maps.spilled == max(0, 60 - budget // NBYTES)
        for number, frame in enumerate(frames):
            assert bits(maps.get(frame)) == bits(feature_map(number))


def test_reads_run_beside_each_other(tmp_path, monkeypatch):
    together, read = threading.Barrier(2, timeout=30), os.preadv

    def meet(*arguments):
        together.wait()
        return read(*arguments)

    with FeatureMaps(memory_bytes=0, directory=tmp_path) as maps, ThreadPoolExecutor(2) as pool:
        maps.put("a", feature_map(1))
        maps.put("b", feature_map(2))
        monkeypatch.setattr(os, "preadv", meet)
        assert [bits(found) for found in pool.map(maps.get, "ab")] == [bits(feature_map(1)), bits(feature_map(2))]


def test_closing_does_not_disturb_a_read_under_way(tmp_path, monkeypatch):
    (tmp_path / "other").write_bytes(bytes(2 * NBYTES))
    others, read = [], os.preadv

    def close_first(*arguments):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(maps.close).result(timeout=30)
        others.append(os.open(tmp_path / "other", os.O_RDONLY))  # takes the descriptor that closing set free
        return read(*arguments)

    maps = FeatureMaps(memory_bytes=0, directory=tmp_path)
    maps.put("a", feature_map(1))
    monkeypatch.setattr(os, "preadv", close_first)
    assert bits(maps.get("a")) == bits(feature_map(1))
    assert maps.get("a") is None
    os.close(others[0])


PROGRAM = """
import os, sys
import numpy as np
from nlvr.engine.feature_maps import FeatureMaps
maps = FeatureMaps(memory_bytes=100, directory=sys.argv[1])
for number in range(4):
    maps.put(str(number), np.full((2, 3, 4), number, np.float32))
"""


def test_a_killed_process_leaves_nothing(tmp_path):
    program = PROGRAM + "print(maps.spilled, flush=True)\nsys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "3\n"
        (held,) = open_files(tmp_path, process.pid)
        assert held.endswith("(deleted)")
        assert not any(tmp_path.iterdir())
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
    assert not any(tmp_path.iterdir())


def test_a_forked_child_reads(tmp_path):
    program = PROGRAM + (
        "same = lambda: all((maps.get(str(number)) == number).all() for number in range(4))\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(0 if same() else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert same()\n"
        "maps.close()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(tmp_path)], check=True)
    assert not any(tmp_path.iterdir())


def test_a_store_that_nobody_closes_lets_go_of_its_file(tmp_path):
    store = FeatureMaps(memory_bytes=0, directory=tmp_path)
    store.put("a", np.ones((1, 2, 2), np.float32))
    descriptor = store._file.fileno()
    del store
    gc.collect()  # a file left to the collector would warn, which fails the test
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
