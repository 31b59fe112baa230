# `make` prints what there is. Nothing but python3 (3.11 or later, with venv) and make is needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two workers: more would only wait for the same servers.
WORKERS ?= 2
# What the demo shows: postgresql, mysql, mariadb.
ENGINE ?= postgresql
export UV_LINK_MODE ?= copy

.DEFAULT_GOAL := help
.PHONY: help demo test servers check lint format type coverage mutants invoke engines lock clean

help:  ## print this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# make demo ENGINE=mysql; or mariadb
demo: $(VENV)/.demo  ## rotate a real database user before your eyes: no AWS account, no Docker
	@$(if $(filter mysql mariadb,$(ENGINE)),tests/get-servers.sh "" $(ENGINE) || true)
	@$(BIN)/rotators demo --engine $(ENGINE)

servers:  ## fetch MySQL and MariaDB for the tests, installing nothing
	@tests/get-servers.sh

# make test DOCKER=1: against the servers of tests/compose.yaml
test: $(VENV)/.dev  ## run every test; servers are started as needed, missing ones are named
	@$(if $(DOCKER),,tests/get-servers.sh || echo "Without it, its tests are skipped.")
	$(if $(DOCKER),VENV=$(VENV) tests/docker.sh) $(BIN)/pytest -n $(WORKERS) $(TESTS)

check: lint type test coverage  ## all that has to hold before a change lands

lint: $(VENV)/.dev  ## style, formatting, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev  ## mend what lint can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(VENV)/.dev  ## mypy --strict
	$(BIN)/mypy

coverage: $(VENV)/.dev  ## branch coverage of the core, by the tests that need no server
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n $(WORKERS) tests/unit tests/engines/test_memory.py
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

mutants: $(VENV)/.dev  ## break the rules one by one: a test has to notice each
	$(BIN)/python tests/mutants.py

# make invoke EVENT=events/rotation.json SECRET=secret.json
invoke: $(VENV)/.demo  ## deliver one event to the function, here
	$(BIN)/rotators invoke $(EVENT) $(if $(SECRET),--secret $(SECRET))

engines: $(VENV)/.demo  ## what can be rotated, and whether its driver is installed
	@$(BIN)/rotators engines

lock: $(VENV)/.dev  ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    --upgrade --generate-hashes --no-header --no-annotate --quiet -o requirements.lock

clean:  ## remove what make has made
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache build dist

# One environment; the demo's part of it is there sooner. Everything comes at the locked version,
# checked against its locked hash.
$(VENV)/.uv: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 …")'
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@touch $@

$(VENV)/.%: $(VENV)/.uv pyproject.toml requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable '.[$*]'
	@touch $@
