# Two commands: `make search` runs a job, `make test` runs the checks; both set up .venv when it is missing.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: search test test-all test-levels checks bench docs clean

search: $(READY)
	$(BIN)/actsearch launch quickstart

# two processes with one thread each
test: checks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: checks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# Other kinds of processor, as far as this one can play them: other kernels round otherwise. In random order; to repeat
# a failure: ORDER=N with the number that was printed.
LEVELS ?= PYTHONHASHSEED=0 PYTHONHASHSEED=1,OMP_NUM_THREADS=2 ATEN_CPU_CAPABILITY=avx2 ATEN_CPU_CAPABILITY=default \
	MKL_CBWR=COMPATIBLE
TESTS ?= tests
test-levels: $(READY)
	set -eu; for level in $(LEVELS); do \
		seed=$${ORDER:-$$(date +%s)}; echo "== $$level, order $$seed"; \
		env OMP_NUM_THREADS=1 $$(echo $$level | tr , ' ') \
			$(BIN)/python -m pytest -n 2 -m "not slow" -p randomly --randomly-seed=$$seed $(TESTS); \
	done

checks: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# one after the other: they measure time
bench: $(READY)
	set -eu; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

# build/docs/index.html; a broken link is an error
docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -n -c docs . build/docs

# what make made; runs/ stays
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find primitives evaluators search tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
