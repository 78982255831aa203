# Every target sets up what it needs: .venv with the pinned packages of requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadgroup
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help dataset test test-quick test-long lint types docs wheel bench bench-peers lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13; use make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "error: no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

# uv takes a tenth of pip's time; pip does it where uv cannot be had. Bytecode of everything, as pip leaves it: else each
# program of a test compiles TensorFlow anew where Python is told to write none
.venv/ready: requirements.lock pyproject.toml | $(BIN)/python
	@$(PIP) uv || true
	@$(UV) pip sync --quiet --python $(BIN)/python requirements.lock || $(PIP) -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . || $(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/ready

dataset: .venv/ready  ## build a dataset version; draws the sample dataset where data/raw is empty
	@[ -n "$$(ls -A data/raw 2>/dev/null)" ] || [ -e data/raw.dvc ] || $(BIN)/shardsmith sample data/raw
	@$(BIN)/shardsmith build

test: .venv/ready  ## run the tests
	@$(PYTEST) -m "not long"

test-quick: .venv/ready  ## run those that start no git, DVC or Prefect
	@$(PYTEST) -m "not long and not slow and not workspace"

test-long: .venv/ready  ## run every test, those too that take minutes
	@$(PYTEST)

lint: .venv/ready  ## check style, format, layers, spelling and pyproject.toml
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell
	@$(BIN)/validate-pyproject pyproject.toml
	@! grep -rnIiF -f .ci/phrases.txt --exclude-dir=__pycache__ src stages flows docs examples benchmarks/*.* *.md *.yaml || { echo "error: say it in plain English (.ci/phrases.txt)" >&2; exit 1; }

types: .venv/ready  ## check types
	@$(BIN)/mypy

docs: .venv/ready  ## make the pages of the documentation in site/; a broken link is an error
	@$(BIN)/python -m docs.architecture && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: .venv/ready  ## make the package that pip installs, in dist/
	@$(BIN)/python -m hatchling build -t wheel

bench: .venv/ready  ## time export and the pipeline against other ways of doing it (N=2000)
	@$(BIN)/python benchmarks/bench.py -n $(or $(N),2000)

bench-peers: .venv/ready  ## the same, with TFDS and Datumaro in environments of their own
	@$(BIN)/python benchmarks/bench.py -n $(or $(N),2000) --peers

lock: | $(BIN)/python  ## bring requirements.lock in step with pyproject.toml (delete it first for the newest of all)
	@$(PIP) uv && $(UV) pip compile --quiet --universal --no-header --no-emit-index-url --no-annotate --all-extras --python-version 3.11 pyproject.toml -o requirements.lock

clean:  ## remove the environment and what the tools leave; data stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist site *.egg-info
