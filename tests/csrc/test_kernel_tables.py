"""Every table of kernels gives the scalar bits, function by function: this machine's, and NEON's under an emulator."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = TESTS.parent.parent / "csrc"
FLAGS = ["-std=c++20", "-O3", "-ffp-contract=off", "-I", SOURCES]
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
X86 = {
    "isa": [],
    "kernels_scalar": [],
    "kernels_avx2": AVX2,
    "kernels_avx512": AVX512,
    "kernels_avx512vnni": [*AVX512, "-mavx512vnni"],
    "rounding": [],
}
AMX = [*AVX512, "-mavx512vnni", "-mavx512bf16", "-mamx-tile", "-mamx-int8", "-mamx-bf16"]
NATIVE = shutil.which("g++")
CROSS, EMULATOR = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")


@pytest.mark.skipif(NATIVE is None or platform.machine() != "x86_64", reason="needs g++ on x86-64")
def test_this_machine_gives_the_scalar_bits(tmp_path):
    sources, defined = dict(X86), ["-DNLVR_X86_64"]
    if knows_tiles(NATIVE, AMX):
        sources["kernels_amx"] = AMX
        defined.append("-DNLVR_AMX")
    objects = [compiled(NATIVE, SOURCES / f"{name}.cpp", tmp_path, *defined, *own) for name, own in sources.items()]
    objects.append(compiled(NATIVE, TESTS / "isa_test.cpp", tmp_path, *defined))
    assert outcome([linked(NATIVE, objects, tmp_path)])[0] == "scalar"


@pytest.mark.skipif(CROSS is None or EMULATOR is None, reason="needs aarch64-linux-gnu-g++ and qemu-aarch64")
def test_neon_gives_the_scalar_bits(tmp_path):
    files = [
        TESTS / "isa_test.cpp",
        *(SOURCES / f"{name}.cpp" for name in ("isa", "kernels_scalar", "kernels_neon", "rounding", "subnormals")),
    ]
    strict = ["-static", "-Wall", "-Wextra", "-Werror", "-DNLVR_AARCH64"]
    objects = [compiled(CROSS, file, tmp_path, *strict) for file in files]
    assert outcome([EMULATOR, linked(CROSS, objects, tmp_path, "-static")]) == ["scalar", "neon"]


def knows_tiles(compiler, flags):
    tiles = "#include <immintrin.h>\nint main() { _tile_zero(0); _tile_dpbf16ps(0, 1, 2); }"
    command = [compiler, *flags, "-x", "c++", "-c", "-", "-o", "/dev/null"]
    return subprocess.run(command, input=tiles, text=True, capture_output=True, check=False).returncode == 0


def compiled(compiler, source, folder, *flags):
    built = folder / f"{source.stem}.o"
    subprocess.run([compiler, *FLAGS, *flags, "-c", source, "-o", built], check=True)
    return built


def linked(compiler, objects, folder, *flags):
    program = folder / "isa_test"
    subprocess.run([compiler, *flags, *objects, "-o", program], check=True)
    return program


def outcome(command):
    """The names of the tables that agree; the program says which function of which one does not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()
