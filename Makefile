# Two commands matter: `make run` and `make test`. All paths are relative to this file.
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
PYTHON ?= python3
VENV := $(ROOT)/.venv
BIN := $(VENV)/bin
PORT ?= 8000
DEMO ?= 1
TESTS ?= tests --ignore=tests/ml
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test test-postgres setup check bench browser-test live-test starter screenshots

run: $(VENV)/.installed
	@cd $(ROOT) && exec $(BIN)/python manage.py run_desk $(if $(filter 0,$(DEMO)),--empty,--demo) --port $(PORT)

test: $(VENV)/.installed-dev check
	@cd $(ROOT) && $(BIN)/python -m pytest tests

check: $(VENV)/.installed-dev
	@cd $(ROOT) && $(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy
	@cd $(ROOT) && $(BIN)/python manage.py makemigrations --check --dry-run
	@cd $(ROOT) && $(BIN)/python -m pytest -q tests/test_architecture.py

test-postgres: $(VENV)/.installed-dev
	@cd $(ROOT) && REVIEWDESK_TEST_DATABASE=postgres $(BIN)/python -m pytest $(TESTS)

browser-test: $(VENV)/.installed-dev
	@cd $(ROOT) && $(BIN)/python -m pytest tests/browser

live-test: $(VENV)/.installed-dev
	@test -n "$(ELASTICSEARCH_URL)" || { echo "set ELASTICSEARCH_URL=http://…, a server whose indexes test-* may come and go"; exit 2; }
	@cd $(ROOT) && ELASTICSEARCH_URL=$(ELASTICSEARCH_URL) $(BIN)/python -m pytest tests/contracts

bench: $(VENV)/.installed-dev
	@cd $(ROOT) && $(BIN)/python -m benchmarks

starter: $(VENV)/.installed
	@cd $(ROOT) && $(BIN)/python -m ml.starter

screenshots: $(VENV)/.installed-dev
	@cd $(ROOT) && $(BIN)/python docs/make_screenshots.py

setup: $(VENV)/.installed-dev

# torch first and pinned, so that nothing else pulls in a build with CUDA.
$(VENV)/.installed: $(ROOT)/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing packages (once)…"
	@$(BIN)/pip install --quiet --no-compile torch==2.13.0
	@cd $(ROOT) && $(BIN)/pip install --quiet --no-compile -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@cd $(ROOT) && $(BIN)/pip install --quiet --no-compile -e ".[dev]"
	@touch $@
