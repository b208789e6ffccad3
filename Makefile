# make setup: .venv with locked versions    make demo: setup + quickstart    make test: setup + tests
# make docs: the pages of docs/ into docs/_build/html
# make ledger: LEDGER.md, ledger.html and ledger.json anew from results/
#
# PYTHON=python3.12 picks the Python of a new .venv, VENV=.venv312 another folder for it,
# WORKERS=4 the number of test processes, PYTEST="-k dae" more flags for pytest,
# REFERENCE= leaves out PyTorch and the tests that compare with it.

VENV ?= .venv
WORKERS ?= 2
PYTEST ?=
# A .venv that is there decides, so that only the first `make` needs PYTHON.
PYTHON ?= $(if $(wildcard $(VENV)/bin/pip),$(VENV)/bin/python,python3)

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
LOCK := requirements/lock-$(VERSION).txt
STAMP := $(VENV)/.fer_jax-$(VERSION)
PIP := --disable-pip-version-check --quiet
# PyTorch, for the tests that compare with it: the exact version, as pyproject.toml has it.
REFERENCE ?= $(shell sed -n 's/^reference = \["\(.*\)"\]$$/\1/p' pyproject.toml)

DOCS := $(shell sed -n 's/^docs = \[\(.*\)\]$$/\1/p' pyproject.toml | tr -d ',')

.PHONY: setup demo test docs ledger lock reference
.DELETE_ON_ERROR:

setup: $(STAMP)

demo: setup
	$(VENV)/bin/python -m fer_jax.main --config=configs/quickstart.py --workdir=runs/quickstart

test: setup reference
	$(VENV)/bin/python -m pytest -q -n $(WORKERS) $(PYTEST)

# Sphinx and what it needs are outside the lock: neither the package nor its tests use them.
docs: setup
	@$(VENV)/bin/python -m pip install $(PIP) -c $(LOCK) $(DOCS)
	$(VENV)/bin/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

ledger: setup
	$(VENV)/bin/python -m experiments.ledger

# Asks no index where it is installed already. PyPI's PyTorch for Linux brings CUDA along; with
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu pip takes the small one.
reference: setup
	@[ -z "$(REFERENCE)" ] || $(VENV)/bin/python -m pip install $(PIP) -c $(LOCK) $(REFERENCE) 2>/dev/null || \
	  echo "make: could not install $(REFERENCE); the tests that compare with it are skipped"

$(STAMP): $(wildcard $(LOCK)) pyproject.toml
	@if [ -z "$(VERSION)" ]; then \
	  echo "make: there is no $(PYTHON) here; install Python 3.11 or 3.12, or name one: make PYTHON=python3.11"; exit 1; fi
	@if [ ! -f $(LOCK) ]; then \
	  echo "make: $(PYTHON) is Python $(VERSION), which has no list of tested versions ($(LOCK));"; \
	  echo "      use Python 3.11 or 3.12: make setup PYTHON=python3.11"; exit 1; fi
	@if [ -x $(VENV)/bin/pip ] && [ ! -d $(VENV)/lib/python$(VERSION) ]; then \
	  echo "make: $(VENV) was made with another Python than $(VERSION);"; \
	  echo "      remove it, or name another folder: make setup PYTHON=$(PYTHON) VENV=.venv-$(VERSION)"; exit 1; fi
	@if [ ! -x $(VENV)/bin/pip ]; then \
	  echo "Making $(VENV) with Python $(VERSION)"; \
	  $(PYTHON) -m venv --clear $(VENV) || { \
	    echo "make: could not make $(VENV); on Debian: apt install python3-venv"; exit 1; }; fi
	@echo "Installing the versions of $(LOCK) into $(VENV) (a few minutes the first time)"
	@$(VENV)/bin/python -m pip install $(PIP) -r $(LOCK)
	@$(VENV)/bin/python -m pip install $(PIP) --no-deps -e .
	@touch $@

# Renew the lock of $(PYTHON)'s version: the newest versions that pyproject.toml admits, tests,
# TensorBoard and readers of pretrained weights included. Once for each Python:
# make lock PYTHON=python3.11, make lock PYTHON=python3.12
lock:
	@if [ -z "$(VERSION)" ]; then echo "make: there is no $(PYTHON) here"; exit 1; fi
	@set -e; beside=$$(mktemp -d); trap 'rm -rf "$$beside"' EXIT; \
	echo "Resolving the newest versions for Python $(VERSION)"; \
	$(PYTHON) -m venv "$$beside"; \
	"$$beside/bin/python" -m pip install $(PIP) ".[test,tensorboard,pretrained,playground]"; \
	{ echo "# Written by: make lock PYTHON=python$(VERSION)"; \
	  "$$beside/bin/python" -m pip freeze --exclude fer_jax; } > $(LOCK).tmp; \
	mv $(LOCK).tmp $(LOCK); \
	echo "$(LOCK): $$(grep -c == $(LOCK)) packages"
