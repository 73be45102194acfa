# The two commands: `make tables` and `make test`. Both make their own environment from the lock file first.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := $(CURDIR)/.venv/bin

export PATH := $(BIN):$(PATH)

.PHONY: tables test lint schema clean

tables: .venv/installed
	snakemake --cores $(CORES)  # results/tables.csv, stage quality and pictures

test: .venv/installed lint
	python -m pytest -p no:cacheprovider --numprocesses $(CORES) --dist loadfile

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	codespell
	snakemake --lint

schema: .venv/installed  # the JSON schema that editors use for config.yaml
	python -m aqa_pipeline.config workflow/schemas/config.schema.json

.venv/installed: requirements.lock requirements-no-deps.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-no-deps.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf results .snakemake
