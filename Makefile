# Entries: demo, test, lint, bench, fuzz. Each makes the virtual environment it needs and reuses it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GROUP ?=
# One more than there are cores: many tests wait for processes and clocks.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))
SECONDS ?= 60
TARGETS ?=

.PHONY: demo test test-ha test-faults lint bench fuzz clean

demo: $(VENV)/.runtime
	$(BIN)/zl demo --out demo

test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS)

# Kills primaries of a replicated PostgreSQL: needs Debian's patroni, etcd-server and postgresql.
test-ha: $(VENV)/.dev
	ZL_TEST_HA=1 $(BIN)/pytest -n 0 -s tests/ha

# More than a thousand kills, and every other fault: some ten minutes. ZL_SEED varies the moments.
test-faults: $(VENV)/.dev
	ZL_FAULTS=1 $(BIN)/pytest -n 0 -s tests/faults

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(GROUP)

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz $(SECONDS) $(TARGETS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

# Go, for the tests against Go's transparency logs; without it they skip.
$(VENV)/.interop: requirements/interop.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/interop.txt
	@touch $@

clean:
	rm -rf build demo *.egg-info .mypy_cache .ruff_cache .pytest_cache
