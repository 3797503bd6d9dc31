"""Every instruction set gives the bits of the definition, and NLVR_ISA picks one or fails loudly."""

import numpy as np
import pytest

from nlvr.engine import kernels

RUN_EVERY_PROBLEM = """
import sys
import numpy as np
from nlvr.engine import kernels

problems = np.load(sys.argv[1])
results = {}
for name in {key.split("/")[0] for key in problems}:
    a, b = problems[name + "/a"], problems[name + "/b"]
    kernel, order, threads = name.split("-")[0], name.split("-")[1], int(name.split("-")[2])
    if order == "last":
        a = np.ascontiguousarray(np.moveaxis(a, 1, -1))
        a = np.moveaxis(a, -1, 1)
    if kernel in ("topk", "screened"):
        screened = lambda *_: kernels.topk_screened(a, b, kernels.quantize(b), 7, threads=threads)
        run = screened if kernel == "screened" else kernels.topk
        results[name + "/ids"], results[name + "/scores"], *_ = run(a, b, 7, None, threads)
    elif kernel == "quantize":
        for part, values in kernels.quantize(a, threads)._asdict().items():
            results[name + "/" + part] = values
    elif kernel == "masked_pool_mean":
        results[name + "/means"] = kernels.masked_pool_mean(a, b, np.array([0, 1, len(b)]), threads)
    else:
        results[name + "/means"] = getattr(kernels, kernel)(a, b, threads)
np.savez(sys.argv[2], **results)
print(kernels.isa())
"""


@pytest.fixture(scope="module")
def problems(reference, wild):
    """Every shape at which a tile, a mask or a thread's share changes, with the results of the definition."""
    inputs, expected = {}, {}

    def add(name, a, b):
        inputs[f"{name}/a"], inputs[f"{name}/b"] = a, b
        if name.startswith(("topk", "screened")):
            expected[f"{name}/ids"], expected[f"{name}/scores"] = reference.topk(a, b, 7)
        elif name.startswith("quantize"):
            expected.update({f"{name}/{part}": values for part, values in kernels.quantize(a)._asdict().items()})
        elif name.startswith("masked_pool_mean"):
            expected[f"{name}/means"] = reference.masked_pool_mean(a, b, np.array([0, 1, len(b)]))
        elif name.startswith("segment_mean"):
            expected[f"{name}/means"] = reference.segment_mean(a, b)
        else:
            maps = a if name.startswith("masked_pool") else a[:, None]
            means = reference.box_means(maps, b)
            expected[f"{name}/means"] = means if name.startswith("masked_pool") else means[:, 0]

    dims = [*range(1, 34), 47, 48, 64, 65, 127, 512]
    for i, d in enumerate(dims):
        q, n, threads = i % 10 + 1, (7 * i) % 23 + 1, i % 8 + 1
        add(f"topk-first-{threads}-{d}", wild(i, (q, d)), wild(1000 + i, (n, d)))
        add(f"topk-last-{threads}-{d}", wild(i, (q, d)), wild(2000 + i, (n, d)))
        add(f"screened-first-{threads}-{d}", wild(i, (q, d)), wild(3000 + i, (n, d), spread=3))
        add(f"quantize-first-{threads}-{d}", wild(i, (n, d), spread=3), np.empty(0))
    add("topk-first-3-large", wild(1, (70, 96)), wild(2, (300, 96)))
    add("topk-first-2-shared", wild(1, (20, 200), spread=1), wild(2, (700, 200), spread=1))
    add("screened-first-2-shared", wild(1, (70, 200), spread=1), wild(2, (700, 200), spread=1))
    for i, width in enumerate([1, 2, 7, 8, 9, 15, 16, 17, 24, 33]):
        channels, threads = [1, 3, 4, 5, 15, 16, 17, 31, 33, 260][i], i % 8 + 1
        maps = wild(i, (2, channels, 5, width))
        cells = np.array([[0, 0, 0, width, 5], [1, width // 2, 2, width, 3], [1, 0, 1, (width + 1) // 2, 5]], np.int32)
        for order in ("first", "last"):
            add(f"masked_pool-{order}-{threads}-{width}", maps, cells)
            halves = np.where(abs(maps) < 6e4, maps, 1).astype(np.float16)
            add(f"masked_pool-{order}-{threads}-{width}half", halves, cells)
            add(f"masked_pool_mean-{order}-{threads}-{width}", maps, cells)
        add(f"mask_ratio-first-{threads}-{width}", maps[:, 0], cells)
    for d in (1, 7, 8, 16, 17, 40):
        add(f"segment_mean-first-{d % 8 + 1}-{d}", wild(d, (150, d)), np.array([0, 1, 20, 149, 150]))
    return inputs, expected


@pytest.mark.parametrize("isa", kernels.isas())
def test_every_isa_gives_the_defined_bits(problems, same_bits, run_python, tmp_path, isa):
    inputs, expected = problems
    np.savez(tmp_path / "problems.npz", **inputs)
    done = run_python(RUN_EVERY_PROBLEM, str(tmp_path / "problems.npz"), str(tmp_path / "results.npz"), NLVR_ISA=isa)
    assert (done.returncode, done.stdout.strip()) == (0, isa), done.stderr
    results = np.load(tmp_path / "results.npz")
    assert set(results) == set(expected)
    assert [name for name in expected if not same_bits(results[name], expected[name])] == []


USE = "from nlvr.engine import kernels; import numpy as np; a = np.ones((1, 1), np.float32); {use}"


@pytest.mark.parametrize("use", ["kernels.isa()", "kernels.topk(a, a, 1)", "kernels.segment_mean(a, np.arange(2))"])
def test_an_isa_that_is_not_here_fails_loudly(run_python, use):
    done = run_python(USE.format(use=use), NLVR_ISA="neon-of-tomorrow")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "IsaUnavailableError: NLVR_ISA=neon-of-tomorrow was asked for, but this machine runs scalar" in last
    assert last.endswith("unset NLVR_ISA to use the fastest")


def test_an_isa_that_is_not_here_can_still_be_asked_about(run_python):
    done = run_python(USE.format(use="print(kernels.isas()[0])"), NLVR_ISA="nothing")
    assert done.stdout.strip() == "scalar", done.stderr


@pytest.mark.parametrize("unset", ["", None])
def test_the_fastest_is_the_default(run_python, monkeypatch, unset):
    monkeypatch.delenv("NLVR_ISA", raising=False)
    done = run_python(USE.format(use="print(kernels.isa())"), **({} if unset is None else {"NLVR_ISA": unset}))
    assert done.stdout.strip() == kernels.isas()[-1], done.stderr
