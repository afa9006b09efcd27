# make demo and make test need nothing but Python (3.10 or newer) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready-dev
OFTEN ?= tests/readers tests/capture tests/analysis tests/test_api.py
RUNNABLE := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit lowest slow coverage fuzz mutation judge referee sizes traces answers bench bucket docs site notebooks fixtures roles-report clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(RUNNABLE): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(READY): $(RUNNABLE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(RUNNABLE) ## install into .venv and summarise the capture that ships in fixtures/
	$(BIN)/ncu-roofline demo

test: lint ## lint, types, all tests but the slow ones; types beside tests, which do not always fill both cores
	@$(MAKE) --no-print-directory -j 2 types unit

lint: $(READY) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

unit: $(READY) ## pytest, without the slow tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lowest: ## the fast tests of readers and commands with the lowest versions that pyproject allows; needs uv
	uv venv --quiet --clear --python $(PYTHON) $(VENV)-lowest
	uv pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	$(VENV)-lowest/bin/python -m pytest -n 2 -W ignore::DeprecationWarning -m "not slow and not browser" $(OFTEN)

slow: $(READY) ## the tests that build, install and run whole notebooks
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

coverage: $(READY) ## pytest with the coverage of the analysis modules
	$(BIN)/python -m pytest --cov=ncu_roofline --cov-report=term-missing:skip-covered

traces: $(READY) ## what step says of the public traces beside the repository; writes docs/traces.md
	$(BIN)/python -m tools.traces

bench: $(READY) ## time this project against the alternatives; writes bench/RESULTS.md
	$(BIN)/python -m bench

bucket: $(READY) ## 2,000 captures into a bucket whose road breaks, a writer killed on the way; writes bench/bucket.txt
	nice $(BIN)/python -m bench.bucket 2000 --save

fuzz: $(READY) ## the long form of the fuzz tests; writes bench/fuzz.txt and fuzz-inputs.txt
	nice $(BIN)/python -m tests.fuzz_report --cuts 1000 --flips 10000 $(REPORTS) > bench/fuzz.txt
	nice $(BIN)/python -m tests.fuzz_inputs --runs 10000 > bench/fuzz-inputs.txt

mutation: $(READY) ## 400 seeded mutants of analysis/ and readers/; writes docs/mutation.md
	$(BIN)/python -m tools.mutation

judge: $(READY) ## judge what is said of 1,000 synthetic runs, 2,000 pairs and 1,000 traces; writes tests/generator/RESULTS.md
	$(BIN)/python -m tests.generator.judge --runs 1000 --pairs 2000 --traces 1000 --seed 0 --write

referee: $(READY) ## our numbers beside NVIDIA's in the captures beside the repository; writes docs/referee.md
	$(BIN)/python -m tools.referee

sizes: $(READY) ## what slim makes of our captures and those beside the repository; writes docs/slim.md
	$(BIN)/python -m tools.slim

answers: $(READY) ## how many of the captures beside the repository get bytes, intensity, side and bandwidth share
	$(BIN)/python -m tools.answers

docs: $(READY) ## write the generated pages of docs/ again
	$(BIN)/python -m tools.pages
	$(BIN)/python -m tools.claims
	$(BIN)/python -m tools.steps
	$(BIN)/python -m tools.projections
	$(BIN)/python -m tools.laws
	$(BIN)/python -m tools.briefs
	$(BIN)/python -m tools.shown

site: $(READY) ## build the site from docs/ into out/site, strictly and without a network
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[site]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

notebooks: $(READY) ## run the notebooks and keep what they print and draw
	$(BIN)/python -m tools.notebooks

roles-report: $(READY) ## compare roles by name with the public list; writes docs/roles-confusion.md
	$(BIN)/python -m tools.roles_report

fixtures: $(READY) ## write the synthetic captures again
	$(BIN)/python -m tests.synthetic.fixtures

clean: ## remove what the other targets made
	rm -rf $(VENV) $(VENV)-lowest dist build out .pytest_cache .ruff_cache .mypy_cache .hypothesis
