# Every target does its own set-up: a virtual environment in $(VENV), made with $(PYTHON), into which the checkout
# is installed in editable mode; it is brought up to date when pyproject.toml changes.  `make test VENV=.venv-3.13
# PYTHON=python3.13` uses a second one.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
MARKS ?= not slow
# Neighbouring tests go to one worker, so that two workers seldom compile the same kernel at the same time.
DIST ?= worksteal
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test slow exhaustive check format bench docs notebook clean

demo: $(VENV)/.installed
	$(BIN)/bayesgmm demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist $(DIST) -m "$(MARKS)"

slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist $(DIST) -m "slow and not exhaustive"

# Further cases of tests that come in many: before a release, or after a change of what they test.
exhaustive: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist $(DIST) -m exhaustive

check: $(VENV)/.installed-dev $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Run anew in place, so that a notebook that fails, or whose outputs are stale, shows.
notebook: $(VENV)/.installed-notebook
	$(BIN)/python -m nbconvert --to notebook --execute --inplace notebooks/*.ipynb

clean:
	rm -rf $(VENV) docs/_build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One rule for the bare package and for each extra; --quiet leaves warnings and errors.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	touch $@
