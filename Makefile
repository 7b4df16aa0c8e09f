# midair: the commands of this checkout. `make` alone lists them.
# Everything Python lives in .venv; system packages are deploy/setup.sh's business.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
N := 10
BENCH_STAMP := $(VENV)/.installed-bench
RIVALS := $(VENV)/rivals

# Programs of the lab lie in folders that a user's PATH may leave out.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint unit fuzz lab-test compose-test soak bench dev cover format constraints clean setup docs

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup $(STAMP) ## two peers, two NATs, 40 ms apart, wrong clocks: one crossing
	@$(BIN)/midair-lab demo

test: setup ## set up all that is needed, then lint and every test
	@$(MAKE) --no-print-directory lint
	@deploy/beside.sh "$(MAKE) --no-print-directory unit compose-test" \
		"$(MAKE) --no-print-directory lab-test"

lint: $(STAMP) ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: $(STAMP) ## every test that needs no lab
	@$(BIN)/python -m pytest tests --ignore=tests/lab --ignore=tests/lab_host --ignore=tests/compose

fuzz: $(STAMP) ## every message, frame and machine against 5,000 random examples each: an hour or two
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -m hypothesis tests --ignore=tests/lab \
		--ignore=tests/lab_host --ignore=tests/compose

lab-test: setup $(STAMP) ## the tests in the lab: real NATs, real delay
	@$(BIN)/midair-lab guest -- $(CURDIR)/$(BIN)/python -m pytest tests/lab
	@$(BIN)/python -m pytest tests/lab_host

compose-test: setup $(STAMP) ## docker compose: two hosts, two NATs, one crossing; in a guest if need be
	@deploy/with-docker.sh $(CURDIR)/$(BIN)/python -m pytest tests/compose

soak: setup $(STAMP) ## every fault N=10 times in a row, here and in the lab, each one counted
	@trap : INT; code=0; \
	$(BIN)/python -m pytest -q --soak $(N) tests/loopback/faults \
		tests/loopback/test_transfers.py || code=$$?; \
	[ $$code -le 1 ] || exit $$code; \
	$(BIN)/midair-lab guest -- $(CURDIR)/$(BIN)/python -m pytest -q --soak $(N) tests/lab/faults \
		|| code=$$?; \
	exit $$code

bench: setup $(BENCH_STAMP) $(RIVALS)/.installed ## measure all into docs/benchmarks.md, or SECTIONS=... (BENCH_JSON=FILE, RESUME=1)
	@$(BIN)/python -m lab.bench $(if $(RESUME),--resume) $(SECTIONS)

cover: $(STAMP) ## the unit tests again, with branch coverage
	@$(BIN)/coverage run -m pytest -q tests --ignore=tests/lab --ignore=tests/lab_host --ignore=tests/compose
	@$(BIN)/coverage report

format: $(STAMP) ## let ruff fix and format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: $(STAMP) ## write the generated parts of docs/protocol.md anew
	@$(BIN)/python -m tests.wire.document

dev: $(STAMP) ## make .venv with everything a developer needs
	@echo "midair: $(VENV) is ready"

setup:
	@deploy/setup.sh lab

# Every version and hash comes from requirements/dev.txt; then the project itself, without looking
# anything up. A venv that works is kept, so that a changed version costs only that version.
$(STAMP): pyproject.toml requirements/dev.txt
	@deploy/venv.sh $(VENV)
	@touch $@

# What draws the pictures; nothing but the benchmark needs it.
$(BENCH_STAMP): $(STAMP) requirements/bench.txt
	@$(BIN)/python -m pip --disable-pip-version-check -qq install --require-hashes \
		-r requirements/bench.txt
	@touch $@

# What midair is compared with; in an environment of its own, since it has versions of its own.
$(RIVALS)/.installed: $(STAMP) requirements/rivals.txt
	@$(BIN)/python -m venv $(RIVALS)
	@$(RIVALS)/bin/python -m pip --disable-pip-version-check -qq install --require-hashes \
		-r requirements/rivals.txt
	@touch $@

constraints: $(STAMP) ## resolve the versions anew
	@deploy/resolve.sh

clean: ## remove .venv and everything that was built
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -rf .coverage htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
