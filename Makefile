# Every target sets up what it needs: .venv with the pinned packages of requirements.lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help dataset test test-long lint types bench bench-peers lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: $(PYTHON) is not Python 3.11; use make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "error: no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch .venv/ready

dataset: .venv/ready  ## build a dataset version; draws the sample dataset where data/raw is empty
	@[ -n "$$(ls -A data/raw 2>/dev/null)" ] || [ -e data/raw.dvc ] || $(BIN)/shardsmith sample data/raw
	@$(BIN)/shardsmith build

test: .venv/ready  ## run the tests
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not long"

test-long: .venv/ready  ## run every test, those too that take minutes
	@$(BIN)/python -m pytest -n 3 --dist loadgroup

lint: .venv/ready  ## check style and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/ready  ## check types
	@$(BIN)/mypy

bench: .venv/ready  ## time export and the pipeline against other ways of doing it (N=2000)
	@$(BIN)/python benchmarks/bench.py -n $(or $(N),2000)

bench-peers: .venv/ready  ## the same, with TFDS and Datumaro in environments of their own
	@$(BIN)/python benchmarks/bench.py -n $(or $(N),2000) --peers

lock: ## write requirements.lock anew from pyproject.toml
	@rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet '.[dev]' \
	  && .venv/lock/bin/pip freeze --all --exclude shardsmith --exclude pip | grep -E '^[A-Za-z0-9_.-]+==' > requirements.lock

clean:  ## remove the environment and what the tools leave; data stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
