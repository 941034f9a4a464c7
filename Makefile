# Two commands do everything on a machine with only Python >= 3.11 and make: `make demo` and `make test`.
#   PYTHON=/path/to/python3.12   the interpreter for .venv (3.11 to 3.13; found by itself otherwise)
#   ARGS=...                     handed to the demo (`ARGS=--exit`), to pytest (`ARGS="-k claim -x"`) or to the benchmarks
#   WORKERS=n                    pytest processes; 0 runs the tests in pytest's own process

PYTHON ?=
ARGS ?=
WORKERS ?= 2
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test bench screenshots chaos check lint format system-packages clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

install: .venv/.installed ## Make .venv with the command goliat-monitoring in it
	@:

.venv/.installed: pyproject.toml uv.lock tools/bootstrap
	@PYTHON="$(PYTHON)" tools/bootstrap
	@touch $@

demo: install ## Server, three agents and a study of 24 simulated simulations; ARGS=--exit checks and ends
	@$(BIN)/python -m goliat_monitoring.cli.main demo $(ARGS)

test: install system-packages lint check ## Everything: style, types, import rules, all tests

bench: install ## How fast it is: one table and docs/benchmarks.md; ARGS="ingest-sqlite --rounds 3", ARGS=--quick
	@tools/system-packages bench
	@$(BIN)/python -m bench $(ARGS)

screenshots: install system-packages ## Pictures of every page for the docs, from a living fleet; ARGS="overview run"
	@$(BIN)/python -m tests.pages.make_screenshots $(ARGS)

chaos: install ## 200 simulated agents, 5,000 assignments, ten minutes of kills; ARGS=--short is what the tests do
	@$(BIN)/python -m tests.chaos $(ARGS)

check: install ## Tests alone
	@$(BIN)/pytest $(if $(filter-out 0,$(WORKERS)),-n $(WORKERS) --dist loadscope) $(ARGS)

lint: install ## Style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install ## Bring the code into form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

system-packages: ## Install what the tests need from the distribution (Chromium, Qt's libraries)
	@tools/system-packages

clean: ## Remove what install and demo made
	@if [ -f demo-data/processes.json ] && [ -x $(BIN)/python ]; then $(BIN)/python -m goliat_monitoring.cli.main demo --stop; fi
	rm -rf .venv .uv demo-data
