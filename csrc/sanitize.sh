#!/bin/sh
# Builds the kernels with the address and undefined-behaviour sanitizers and runs their tests on that build, once on the
# scalar reference (whose every access the compiler can see) and once on the fastest instruction set.
#
#   csrc/sanitize.sh [pytest arguments]        PYTHON (default .venv/bin/python) has numpy, pybind11 and pytest.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The engine as it stands, with the sanitized module in the place of the installed one.
mkdir -p "$work/site/nlvr/engine"
for entry in "$root"/engine/*; do
    case $entry in
        *.so) ;;
        *) ln -s "$entry" "$work/site/nlvr/engine/" ;;
    esac
done

PATH=$(dirname "$python"):$PATH
export PATH
cmake -S "$root/csrc" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DNLVR_SANITIZE=ON -DNLVR_WERROR=ON \
    -DPython_EXECUTABLE="$python" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" >/dev/null
cmake --build "$work/build"
cp "$work"/build/_kernels*.so "$work/site/nlvr/engine/"

# Python itself is not sanitized, so the runtimes come first; its own allocator would hide small overflows, and what it
# leaves at exit is not ours to report.
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$work/build/CMakeCache.txt")
LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libstdc++.so)"
export LD_PRELOAD PYTHONPATH="$work/site" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1

cd "$root"
"$python" -c "
import sys
from nlvr.engine import _kernels
sys.exit(not _kernels.__file__.startswith('$work') and f'{_kernels.__file__} is not the sanitized build')"
# Capturing the file descriptors as well would swallow the report of a process that aborts.
for isa in scalar ""; do
    NLVR_ISA=$isa "$python" -m pytest --capture=sys tests/csrc "$@"
done
