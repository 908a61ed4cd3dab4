# Everything that a person types. `make` alone says what there is.
.DEFAULT_GOAL := help

# The first of these that is 3.11 or newer; `make PYTHON=... setup` takes another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
COMPILE := .cache/lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.PHONY: help setup demo test check fix docs schemas bench dist lock

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/runs ## the environment: .venv, with wellwon in it
	@echo 'Ready: .venv/bin/wellwon'

demo: .venv/runs ## the last days of a simulated quarter, in a minute; needs no broker
	@$(BIN)/wellwon demo

test: .venv/tests ## everything, on a real Kafka broker and a real Prometheus
	@tests/system-packages.sh
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: .venv/tests ## style, types, and that generated files are fresh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/wellwon docs --check
	$(BIN)/wellwon schemas --check

fix: .venv/tests ## mend what a machine can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/runs ## write the generated pages and regions anew
	$(BIN)/wellwon docs

schemas: .venv/runs ## write schemas/ anew
	$(BIN)/wellwon schemas

bench: .venv/tests ## compare with peers on a real broker (several minutes)
	$(BIN)/python bench/run.py

dist: .venv/tests ## wheel, source archive, bills of materials (SBOM), in dist/
	@rm -rf dist
	@$(BIN)/hatchling build --directory dist
	@$(BIN)/python deploy/bill_of_materials.py dist $$($(BIN)/wellwon --version | cut -d' ' -f2)

lock: ## choose the newest allowed versions of everything
	@rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install --quiet uv
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group build --extra pubsub --constraint requirements.lock --output-file requirements-pubsub.lock
	$(COMPILE) --group build --group compile --extra pubsub --constraint requirements-pubsub.lock --output-file requirements-compile.lock
	$(COMPILE) --group build --group compile --group dev --extra pubsub --constraint requirements-pubsub.lock \
		--output-file requirements-dev.lock

# Stamps: each is newer than what it was made from. wellwon is installed in place, so that its code is never stale.
.venv/runs: requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer is needed: on the PATH, or make PYTHON=/path/to/it'; exit 1; }
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv || { rm -rf .venv; echo 'On Debian, Ubuntu: apt install python3-venv'; exit 1; }
	@echo 'Installing into .venv'
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/tests: .venv/runs requirements-dev.lock
	@$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@
