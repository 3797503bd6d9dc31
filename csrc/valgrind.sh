#!/bin/sh
# Runs the kernels' tests under valgrind's memcheck, on the scalar reference and on AVX2 (memcheck knows no AVX-512), and
# fails when an error's stack goes through the kernels. One test is left out: it compares this process, which sees no
# AVX-512 under memcheck, with a child that runs outside of it.
#
#   csrc/valgrind.sh [pytest arguments]        PYTHON (default .venv/bin/python) has the engine, numpy and pytest.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

cd "$root"
export PYTHONMALLOC=malloc OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
for isa in scalar avx2; do
    NLVR_ISA=$isa valgrind --tool=memcheck --error-limit=no --num-callers=30 --log-file="$log" \
        "$python" -m pytest -q -p no:cacheprovider tests/csrc \
        --deselect tests/csrc/test_isa.py::test_the_fastest_is_the_default "$@"
    if grep -q "_kernels" "$log"; then
        grep -B 12 -A 12 "_kernels" "$log" | head -200
        echo "$isa: valgrind found errors in the kernels" >&2
        exit 1
    fi
    echo "$isa: no error in the kernels"
done
