# Every target works on a fresh checkout with python3, venv and make: the first one that needs it makes .venv.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.made
BIN := $(VENV)/bin
WORKERS ?= auto
SOURCES = supervisor actors tests $(wildcard bench)

# The tests start thousands of processes: without kept bytecode each would compile every module, and take twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up test faults lint clean

help: ## say what the targets do
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

# The stamp is written last: an installation that was interrupted is made again.
$(STAMP): pyproject.toml constraints.txt
	@echo "setting up $(VENV)"
	@rm -f $(STAMP)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## show what Perdure does: tasks, a kill -9, everything still there
	@$(BIN)/perdure demo

up: $(STAMP) ## run Perdure in the foreground with the development configuration
	@$(BIN)/perdure up --config configs/dev.toml

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Each run tries something else; the seed is printed with what was tried, and `make faults SEED=…` tries it again.
# What it runs is what the table of cases names (python -m tests.faults.rows), and the rest of these folders.
FAULTS = tests/faults tests/supervisor/chaos $$($(BIN)/python -m tests.faults.rows --files)
# The longest of these tests breaks things for ten minutes, and checks them afterwards.
LONGEST_S := 3600
SEED := $(or $(SEED),$(shell date +%s))
faults: $(STAMP) ## the long forms of everything that Perdure must survive: tens of minutes
	@echo "PERDURE_SEED=$(SEED)"
	@PERDURE_SEED=$(SEED) $(BIN)/python -m pytest -n $(WORKERS) -m "long or not long" -o faulthandler_timeout=$(LONGEST_S) $(FAULTS) $(ARGS)

# All four run, whatever the first ones find: one visit shows everything.
lint: $(STAMP) ## style, types and the architecture's import contracts
	@status=0; for check in \
	    "ruff check $(SOURCES)" \
	    "ruff format --check $(SOURCES)" \
	    "mypy --strict $(SOURCES)" \
	    "lint-imports --no-cache"; do \
	    echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

clean: ## remove what make and the tests have made (never a state directory)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	find supervisor actors tests $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +
