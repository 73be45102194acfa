# The two commands: `make tables` and `make test`. Both make their own environment from the lock file first.
# `make mmpose` adds the one for mmpose's estimators; `make test` does too, `make test MMPOSE=` goes without.
# `make docs` writes the pages of docs/ to site/; `make test` does too, `make test DOCS=` goes without.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := $(CURDIR)/.venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
MMPOSE ?= .venv-mmpose/installed
DOCS ?= docs

export PATH := $(BIN):$(PATH)

.PHONY: tables test mmpose docs lint schema clean

tables: .venv/installed
	snakemake --cores $(CORES)  # results/tables.csv, stage quality and pictures

test: .venv/installed $(MMPOSE) lint $(DOCS)
	python -m pytest -p no:cacheprovider --numprocesses $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder  # one waits for SLURM

mmpose: .venv-mmpose/installed

docs: .venv-docs/installed  # site/index.html; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build

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
	$(BIN)/python $(PIP) --requirement requirements.lock
	$(BIN)/python $(PIP) --no-deps --requirement requirements-no-deps.lock
	$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# A layer over .venv: OpenMMLab's packages and what they need besides come first, all else is shared.
.venv-mmpose/installed: .venv/installed requirements-mmpose.lock requirements-mmpose-from-source.lock
	@command -v cc > /dev/null || { echo "make mmpose needs a C compiler (gcc or clang) and Python's headers: xtcocotools is built from source against numpy 2" >&2; exit 1; }
	rm -rf .venv-mmpose
	$(BIN)/python -m venv --without-pip .venv-mmpose
	.venv-mmpose/bin/python envs/layer.py .venv
	.venv-mmpose/bin/python $(PIP) --no-deps --requirement requirements-mmpose.lock
	.venv-mmpose/bin/python $(PIP) --no-deps --no-build-isolation --no-binary :all: --requirement requirements-mmpose-from-source.lock
	touch $@

# A layer over .venv too, for pages are made from the package; --no-deps, as the lock file names all that .venv lacks.
.venv-docs/installed: .venv/installed requirements-docs.lock
	rm -rf .venv-docs
	$(BIN)/python -m venv --without-pip .venv-docs
	.venv-docs/bin/python envs/layer.py .venv
	.venv-docs/bin/python $(PIP) --no-deps --requirement requirements-docs.lock
	touch $@

clean:
	rm -rf results site .snakemake
