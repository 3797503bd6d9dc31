"""The NEON kernels give the scalar bits, on a cross compiler and an emulator where there are any."""

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = TESTS.parent.parent / "csrc"
FLAGS = ["-std=c++20", "-O2", "-static", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-DNLVR_AARCH64"]
COMPILER, EMULATOR = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")


@pytest.mark.skipif(COMPILER is None or EMULATOR is None, reason="needs aarch64-linux-gnu-g++ and qemu-aarch64")
def test_neon_gives_the_scalar_bits(tmp_path):
    files = [TESTS / "isa_test.cpp", *(SOURCES / f"{name}.cpp" for name in ("isa", "kernels_scalar", "kernels_neon"))]
    program = tmp_path / "isa_test"
    subprocess.run([COMPILER, *FLAGS, "-I", SOURCES, *files, "-o", program], check=True)
    done = subprocess.run([EMULATOR, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["scalar", "neon"])
