# The entry points of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Install everything that development needs (system packages included)
	@scripts/setup test

.PHONY: demo
demo: ## Tell the whole story on this machine: a self-managed Airflow, migrated (ARGS=--exit ends by itself)
	@scripts/setup demo
	@.venv/bin/aerodrome demo $(ARGS)

.PHONY: test
test: ## Check style, types and import contracts, then run all tests (two at a time, those of running Airflows alone)
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
ifeq ($(strip $(ARGS)),)
	@code=0; $(PY) -m pytest -n 2 --dist worksteal -m "not journey" || code=1; $(PY) -m pytest -p no:randomly -m journey || code=1; exit $$code
else
	@$(PY) -m pytest $(ARGS)
endif

.PHONY: test-fast
test-fast: ## Run the tests that need neither a real Airflow nor a browser
	@$(PY) -m pytest -n 2 --dist worksteal -m "not airflow and not browser" $(ARGS)

.PHONY: test-matrix
test-matrix: ## Run what CI leaves out: every version of Airflow, MySQL and MariaDB, provider packages, the long journeys
	@scripts/setup matrix
	@AERODROME_MATRIX=1 $(PY) -m pytest -p no:randomly -m matrix $(ARGS)

.PHONY: lint
lint: ## Style (ruff), types (mypy --strict), floors (import-linter)
	@.venv/bin/ruff check src tests bench
	@.venv/bin/ruff format --check src tests bench
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache

.PHONY: format
format: ## Format the code and apply safe fixes
	@.venv/bin/ruff check --fix src tests bench
	@.venv/bin/ruff format src tests bench

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements/*.lock
	@scripts/lock

.PHONY: bench-landing
bench-landing: ## Time each phase of the demo and the history transfer; one JSON line at the end
	@scripts/setup demo
	@$(PY) bench/landing.py $(ARGS)

.PHONY: bench-deploy
bench-deploy: ## Seconds from `aerodrome deploy` until Airflow shows it, 40 in a row (ARGS=--deploys 10)
	@scripts/setup demo
	@$(PY) -m bench.deploy $(ARGS)

.PHONY: bench-density
bench-density: ## Memory that the control plane adds to six idle deployments
	@scripts/setup demo
	@$(PY) -m bench.density $(ARGS)

.PHONY: bench-soak
bench-soak: ## Deploys and rollbacks while DAGs run; lost runs and memory (ARGS=minutes, default 30)
	@scripts/setup demo
	@$(PY) -m bench.soak $(ARGS)

.PHONY: bench-upgrade
bench-upgrade: ## Upgrade and prove the example DAGs of Airflow's packages (CORPUS=DIR adds a folder; ARGS=--files 4072: an estate of copies; ARGS=--corpus … --source … --target …)
	@scripts/setup demo
	@CORPUS=$(CORPUS) $(PY) -m bench.upgrade $(ARGS)

.PHONY: bench-convert
bench-convert: ## Convert and prove the Oozie and Control-M definitions of CORPUS=DIR; one JSON line (ARGS=--verbose)
	@scripts/setup demo
	@CORPUS=$(CORPUS) $(PY) -m bench.convert $(ARGS)

.PHONY: bench-convert-random
bench-convert-random: ## Convert and prove random Oozie definitions; one JSON line (ARGS="--seeds 0:200 --venv-2-11 … --venv-3-3 …")
	@$(PY) -m bench.convert_random $(ARGS)

.PHONY: bench-rollback
bench-rollback: ## The way back from 3.3 to 2.11 with 1,000,000 task instances on PostgreSQL (ARGS=--task-instances 20000)
	@scripts/setup demo
	@$(PY) -m bench.rollback $(ARGS)

.PHONY: bench-history
bench-history: ## History from PostgreSQL, SQLite and MariaDB against a plain COPY of the same rows (ARGS="--dags 4072 --db postgresql": full size)
	@scripts/setup matrix
	@scripts/setup test
	@$(PY) -m bench.history $(ARGS)

.PHONY: bench-history-wires
bench-history-wires: ## The same from an exporter's archive and over the Starship plugin (ARGS="--dags 20 --db archive")
	@scripts/setup test
	@$(PY) -m bench.history_wires $(ARGS)

.PHONY: bench-assess
bench-assess: ## Assess 14,000 DAGs with 10 million task instances (ARGS="--dags 200 --runs 10", --db sqlite)
	@scripts/setup demo
	@$(PY) -m bench.assess $(ARGS)

.PHONY: bench-cutover
bench-cutover: ## Hand 4,072 living DAGs over between two real metadata databases: seconds, longest gap (ARGS="--dags 200")
	@scripts/setup demo
	@$(PY) -m bench.cutover $(ARGS)

.PHONY: chaos-cutover
chaos-cutover: ## Kill, cut off, lock and meddle while DAGs are handed over; duplicates and gaps over both sides (ARGS="--dags 60")
	@scripts/setup demo
	@$(PY) -m bench.chaos_cutover $(ARGS)

.PHONY: chaos-real
chaos-real: ## Kill the platform at each step between a real 2.11.2 and a real 3.3.2 that schedule meanwhile (ARGS="--dags 6")
	@scripts/setup demo
	@$(PY) -m bench.chaos_real $(ARGS)

.PHONY: clean
clean: ## Remove caches and the demo folder (not the virtualenv)
	@rm -rf .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
