# `make` prints what there is. Nothing but python3 (3.11 or later, with venv) and make is needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two workers: more would only wait for the same servers.
WORKERS ?= 2
# What the demo shows: postgresql, mysql, mariadb, twitter (a fake X).
ENGINE ?= postgresql
# What functions are built for, and deployed to. host, in a build: this machine, this Python.
ARCHITECTURE ?= arm64
# Not PYTHON_VERSION: every official image of Python sets that, to its own.
TARGET_PYTHON ?= 3.13
# 0: leave boto3 to Lambda's runtime.
BUNDLE_BOTO3 ?= 1
BUILD_FOR = --architecture $(ARCHITECTURE) --python-version $(TARGET_PYTHON) $(if $(filter 0,$(BUNDLE_BOTO3)),--no-boto3)
STACK ?= rotators
SAM ?= $(VENV)/.sam/bin/sam
# Only ours is set up.
OUR_SAM = $(if $(filter $(VENV)/%,$(SAM)),$(VENV)/.sam)
# Whoever develops has what these need already: a build, and a secret of any engine.
PACKAGER = $(or $(wildcard $(VENV)/.dev),$(VENV)/.package)
INVOKER = $(or $(wildcard $(VENV)/.dev),$(VENV)/.demo $(VENV)/.all)
FUNCTIONS := $(addsuffix Function,PostgreSQL MySQL MariaDB SQLServer Oracle Redshift DocumentDB Twitter)
export UV_LINK_MODE ?= copy
export ARCHITECTURE TARGET_PYTHON BUNDLE_BOTO3

.DEFAULT_GOAL := help
.PHONY: help demo test servers check lint format type coverage mutants invoke cold-start engines build package sizes deploy lock clean

help:  ## print this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# make demo ENGINE=mysql; or mariadb, twitter
demo: $(VENV)/.demo  ## rotate a real database user, or tokens of a fake X, before your eyes: no AWS account, no Docker
	@$(if $(filter mysql mariadb,$(ENGINE)),tests/get-servers.sh "" $(ENGINE) || true)
	@$(BIN)/rotators demo --engine $(ENGINE)

servers:  ## fetch MySQL and MariaDB for the tests, installing nothing
	@tests/get-servers.sh

# make test DOCKER=1: against the servers of tests/compose.yaml
test: $(VENV)/.dev  ## run every test; servers are started as needed, missing ones are named
	@$(if $(DOCKER),,tests/get-servers.sh || echo "Without it, its tests are skipped.")
	$(if $(DOCKER),VENV=$(VENV) tests/docker.sh) $(BIN)/pytest -n $(WORKERS) $(TESTS)

check: lint type test coverage  ## all that has to hold before a change lands

lint: $(VENV)/.dev $(OUR_SAM)  ## style, formatting, which module may import which, and the template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/deploy/linting.py

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
# make invoke FUNCTION=PostgreSQLFunction EVENT=events/create_secret.json: to what was built
invoke: $(if $(FUNCTION),$(VENV)/.dev,$(INVOKER))  ## deliver one event to the function, here
	$(BIN)/rotators $(if $(FUNCTION),function $(FUNCTION) $(EVENT) $(if $(STRATEGY),--strategy $(STRATEGY)),invoke $(EVENT) $(if $(SECRET),--secret $(SECRET)))

cold-start: $(VENV)/.dev  ## how long each function takes to import and to serve its first step
	@$(BIN)/python -m tests.deploy.cold_start

engines: $(VENV)/.demo  ## what can be rotated, and whether its driver is installed
	@$(BIN)/rotators engines

# make build-MySQLFunction ARCHITECTURE=x86_64 TARGET_PYTHON=3.14 BUNDLE_BOTO3=0: one, for that
build: $(addprefix build-,$(FUNCTIONS))  ## put together what each function consists of, into build/

# sam build calls this, and says where the result has to be.
build-%Function: $(PACKAGER)
	@$(BIN)/rotators build $*Function $(BUILD_FOR) $(if $(ARTIFACTS_DIR),--into '$(ARTIFACTS_DIR)')

package: $(addprefix package-,$(FUNCTIONS))  ## the same, and the zips

package-%Function: $(PACKAGER)
	@$(BIN)/rotators build $*Function $(BUILD_FOR) --zip

sizes: $(PACKAGER)  ## how large each function is
	@$(BIN)/rotators build --sizes $(BUILD_FOR)

# make deploy STACK=rotation PARAMETERS='MySQL=true VpcSubnetIds=subnet-1,subnet-2' SAM_DEPLOY=--guided
# SAM hands template parameters to no build, so both get the same values here.
deploy: $(PACKAGER) $(OUR_SAM)  ## sam build, then sam deploy, for one ARCHITECTURE and TARGET_PYTHON
	@$(if $(filter-out arm64 x86_64 3.13 3.14,$(ARCHITECTURE) $(TARGET_PYTHON)),$(error template.yaml \
	    has arm64 and x86_64, Python 3.13 and 3.14: not $(ARCHITECTURE), $(TARGET_PYTHON)))
	$(SAM) build
	$(SAM) deploy --stack-name $(STACK) --resolve-s3 --capabilities CAPABILITY_IAM \
	    --parameter-overrides Architecture=$(ARCHITECTURE) Runtime=python$(TARGET_PYTHON) $(PARAMETERS) $(SAM_DEPLOY)

lock: $(VENV)/.dev  ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    --upgrade --generate-hashes --no-header --no-annotate --quiet -o requirements.lock

clean:  ## remove what make has made
	rm -rf $(VENV) .coverage* .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .aws-sam build dist

# In an environment of its own: SAM CLI's pins would take boto3 and others back.
$(VENV)/.sam: $(VENV)/.uv tests/deploy/sam.lock
	@echo "Setting up SAM CLI …"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $@
	@$(BIN)/uv pip install --quiet --python $@/bin/python --require-hashes -r tests/deploy/sam.lock
	@touch $@

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
