# Crosslight: the targets that a person or CI needs. Everything lives in .venv and is reused by a second run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
RUNS ?= 200
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos tamper clean lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.installed: setup.py requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(VENV)/.installed  ## run all parties as real processes and show what surfaced (ONCE=1 ends by itself, DEMO_DB=postgres)
	$(BIN)/crosslight demo $(if $(ONCE),--once) $(if $(DEMO_DB),--database $(DEMO_DB))

lint: $(VENV)/.installed  ## ruff, mypy --strict and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.installed lint  ## all that CI runs
	@sh tests/install_browser.sh
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m "not chaos"

bench: $(VENV)/.installed  ## measure, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

chaos: $(VENV)/.installed  ## kill processes at random points and fuzz every decoder (RUNS=200 SEED=1)
	$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(SEED)

tamper: RUNS = 1000
tamper: $(VENV)/.installed  ## tamper with the broker's past, and see that each time is found (RUNS=1000 SEED=1)
	$(BIN)/python -m tests.tamper --runs $(RUNS) --seed $(SEED)

lock: $(VENV)/.installed  ## pin the newest versions of what setup.py asks for
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --extra test --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-find-links --no-annotate --allow-unsafe --output-file requirements.lock setup.py

clean:  ## remove the virtual environment, caches and what runs left behind
	rm -rf $(VENV) build dist *.egg-info var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
