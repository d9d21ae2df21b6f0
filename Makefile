# Every target sets up what it needs on a machine that has only Python >= 3.11, pip and make.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .venv/uv/bin/uv)
STAMP := .venv/.installed
TESTS := $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: setup demo generate-data train-local test test-unit soak check lint format types bench bench-serve handbook lock docs kernels clean

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	command -v $(UV) >/dev/null || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install --quiet uv; }
	$(UV) pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup
	$(BIN)/weigh demo $(ARGS)

generate-data: setup
	$(BIN)/weigh simulate card_fraud $(ARGS)

train-local: setup
	mkdir -p data/raw
	$(BIN)/weigh simulate card_fraud --out data/raw
	$(BIN)/weigh ingest card_fraud data/raw/card_fraud_events.parquet --labels data/raw/card_fraud_labels.parquet --map arrived=arrived
	$(BIN)/weigh run card_fraud $(ARGS)

test: setup
	$(TESTS) --durations 25 $(ARGS)

test-unit: setup
	$(TESTS) -m "not slow" $(ARGS)

soak: setup
	WEIGHBRIDGE_SOAK=1 $(BIN)/python -m pytest $(ARGS)

check: lint types test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/weigh bench $(ARGS)

bench-serve: setup
	$(BIN)/weigh bench --only serve $(ARGS)

handbook: setup
	$(BIN)/python -m examples.handbook $(ARGS)

docs: setup
	$(BIN)/python -m tests.generated

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras pyproject.toml --output-file requirements/all.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --group dev pyproject.toml --output-file requirements/dev.txt

kernels:  # numba's cache does not see a change in a kernel that another file calls
	find src -name '*.nb[ic]' -delete

clean: kernels
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
