# The one list of commands. Everything below needs Python 3.11 and make, and sets up the rest itself.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON := $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Tests wait for servers most of their time: three processes share them (tests/conftest.py says which has what).
SIDE_BY_SIDE := -n 3 --dist loadscope

.PHONY: help demo test test-local test-soak up down status sql-server flink lint format bench bench-dashboard bench-emr bench-migrate bench-history bench-producer bench-consumer bench-questions bench-account bench-faces clean python

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/spark.stamp ## Real figures to a map of India: build/dashboard/index.html
	@$(BIN)/crime-jobs run all --output table
	@echo "The map is ready, open it in a browser: $$($(BIN)/crime-jobs dashboard)"

test: .venv/dev.stamp ## Tests that need no server and no browser (under 4 minutes)
	$(PYTEST) $(SIDE_BY_SIDE) -m "not localstack and not browser and not hive and not faults and not soak"

test-local: .venv/dev.stamp ## All tests: LocalStack, killed processes and the browser too (about half an hour)
	$(PYTEST) $(SIDE_BY_SIDE) -m "not soak"

test-soak: .venv/dev.stamp ## Long fault runs and fidelity checks
	$(PYTEST) -m soak

up: .venv/dev.stamp ## Start LocalStack on 127.0.0.1 and load the data; then `crime-jobs run all --env localstack`
	@$(BIN)/python -m crime_harness up

down: .venv/dev.stamp ## Stop it, leaving no process behind
	@$(BIN)/python -m crime_harness down

status: .venv/dev.stamp ## What is up, and where
	@$(BIN)/python -m crime_harness status || true

sql-server: .venv/dev.stamp ## Spark's Thrift server over the lake, for beeline, DBeaver and others (ARGS="--env localstack", --stop, --wait)
	@$(BIN)/python -m crime_harness sql-server $(ARGS)

flink: .venv/dev.stamp ## Flink for `crime-jobs stream analytics` (downloads 300 MB)
	@$(BIN)/python -m crime_harness flink

lint: .venv/dev.stamp ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp ## Mend the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench.stamp ## Marts on 2.9 and 29 million incidents: Spark beside DuckDB, Polars and pandas
	$(BIN)/python -m benchmarks.marts

bench-dashboard: .venv/bench.stamp ## The dashboard: build, weight, first paint, interaction (after `make demo`)
	$(BIN)/python -m benchmarks.dashboard

bench-emr: .venv/bench.stamp ## Submitting to EMR beside emr-cli, on the engines (after `make up`)
	$(BIN)/python -m benchmarks.emr_submit

bench-migrate: .venv/bench.stamp ## Moving items into DynamoDB beside a batch_writer loop (after `make up`)
	$(BIN)/python -m benchmarks.migrate

bench-history: .venv/bench.stamp ## FIRs into Redshift: COPY beside INSERT (after `make up`)
	$(BIN)/python -m benchmarks.history

bench-producer: .venv/bench.stamp ## Sending to Kinesis beside aiokpl, AWS's aggregator and plain boto3 (after `make up`)
	$(BIN)/python -m benchmarks.producer

bench-consumer: .venv/bench.stamp ## FIRs from the stream to the sink: rate, lateness, back after kill -9 (after `make up`)
	$(BIN)/python -m benchmarks.consumer

bench-questions: .venv/bench.stamp ## Questions through Athena's engine beside plain DuckDB and Spark SQL (after `make up`)
	$(BIN)/python -m benchmarks.questions

bench-account: .venv/bench.stamp ## Inventory of 20 regions at 100 ms a call; destroy beside the AWS CLI (after `make up`)
	$(BIN)/python -m benchmarks.account

bench-faces: .venv/bench.stamp ## The face engine: photographs a second, memory, 1,000 against 10,000 faces, search by size
	$(BIN)/python -m benchmarks.faces

clean: ## Remove what was built (not the downloads, which are cached outside the tree)
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m crime_harness down || true
	rm -rf build .venv .venvs .mypy_cache .ruff_cache .hypothesis

.venv/spark.stamp: | python
.venv/dev.stamp: | python
.venv/bench.stamp: | python
.venv/%.stamp: pyproject.toml constraints.txt tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py $*

python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 is missing: install it (Debian: apt install python3.11 python3.11-venv; or pyenv install 3.11)." >&2; exit 2; }
