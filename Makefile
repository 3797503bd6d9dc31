# Two commands do everything: `make rank` shows the engine at work, `make test` checks all of it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml $(shell find engine export training benchmarks csrc -type f -not -name '*.pyc' -not -name '*.so')
MODEL ?= checkpoints/contrastive-compact
SAMPLE := engine/sample

.PHONY: rank test lint sanitize clean

rank: $(VENV)/.engine
	@mkdir -p output
	$(BIN)/nlvr-engine rank --model $(MODEL) --frames $(SAMPLE) \
	  --tracks $(SAMPLE)/carpark/tracks.json --queries $(SAMPLE)/carpark/queries.json \
	  --truth $(SAMPLE)/carpark/truth.json --output output/ranking.json --report output/report

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror csrc/*.cpp csrc/*.hpp tests/csrc/*.cpp
	$(BIN)/mypy -p nlvr.engine
	$(BIN)/python -m mypy.stubtest nlvr.engine._kernels

sanitize: $(VENV)/.dev
	bash csrc/sanitize.sh

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nlvr-engine needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# The development install holds all of the engine's; where it stands, there is nothing more to do.
$(VENV)/.engine: $(BIN)/python $(SOURCES)
	@if [ -e $(VENV)/.dev ]; then $(BIN)/pip install --quiet --no-deps .; else $(BIN)/pip install --quiet '.[cpu]'; fi
	@touch $@

$(VENV)/.dev: $(BIN)/python $(SOURCES)
	$(BIN)/pip install --quiet '.[dev]'
	@touch $(VENV)/.engine $@

clean:
	rm -rf $(VENV) build output
