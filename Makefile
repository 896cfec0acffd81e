# Everything a person does here has a name here; CI calls the same names. `make help` lists them.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
SHARE  := -n auto --maxprocesses 4 --dist worksteal  # a process a core, each with engines of its own; ARGS="-n 0": one
# One process more than cores, up to four: many tests wait for a process that they started.
MORE    = -n $(shell $(PYTHON) -c "import os; print(min(4, (os.cpu_count() or 1) + 1))")
SLOWEST := --durations=10 --durations-min=1  # seconds; printed before the closing line

.DEFAULT_GOAL := help

# A suite starts hundreds of processes: where nothing compiled is kept, each compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up test test-kafka test-sdks test-poolers test-tls faults faults-short soak test-panels test-alertmanager test-browser check fmt bench mutate lock env-example dashboards metrics-page signals-page signals-measured conversations-page clean

help:  ## print this
	@awk 'BEGIN {FS = ":.*## "; print "make <target>\n"} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with everything in it and the `waymark` command (Python 3.11+ and PyPI are enough)
	@echo "ready: $(BIN)/waymark"

$(STAMP): requirements.lock pyproject.toml .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup "$(VENV)"
	@touch $@

demo: $(STAMP)  ## see it work: local stack, traffic, a friction, a signed alert; ends by itself
	@$(BIN)/waymark demo

up: $(STAMP)  ## run everything on this machine until Ctrl-C
	@$(BIN)/waymark up

test: $(STAMP)  ## every test that needs nothing but PyPI: unit, contract, stories, architecture, local integration
	@$(PYTEST) $(SHARE) $(MORE) $(SLOWEST) -m "not kafka and not prometheus and not pgbouncer and not tls and not alertmanager and not browser" $(ARGS)

test-kafka: $(STAMP)  ## the tests against Apache Kafka 4 (Java 17 and mvn; jars from Maven Central)
	@$(PYTEST) $(SHARE) $(SLOWEST) -m kafka $(ARGS)

faults: $(STAMP)  ## every fault of the fault lab, one table and a verdict (Java 17 and mvn; an hour; ARGS="--only F5 --seed 7")
	@$(BIN)/python -m tests.faults $(ARGS)

soak: $(STAMP)  ## 20 minutes (SOAK_MINUTES) of steady load and faults by chance; memory must stay flat; samples in soak.json
	@$(BIN)/python -m tests.faults --only F27 $(ARGS)

faults-short: $(STAMP)  ## those faults that `make test-kafka` runs too
	@$(BIN)/python -m tests.faults --short $(ARGS)

test-sdks: $(STAMP)  ## the libraries and webhooks of others, unmodified, against a real ingest (Java 17, mvn, npm, Node 18+)
	@$(BIN)/python -m tests.sdks.matrix $(ARGS)

test-panels: $(STAMP)  ## dashboards and alerts: Grafana's types (npm), the stack under traffic, Prometheus (PROMETHEUS=path), Alertmanager (ALERTMANAGER_TREE=folder)
	@npm ci --silent --ignore-scripts --prefix tests/grafana
	@$(PYTEST) tests/e2e/test_panels.py tests/grafana -m prometheus $(ARGS)

# The driver is not in the lock, and beside the environment: nothing that ships, and no other test, needs it.
DRIVER := .pytest_cache/browser
test-browser: $(STAMP)  ## the console in a real browser (Debian's chromium or CHROMIUM=path; npm; Korean letters: fonts-noto-cjk)
	@npm ci --silent --ignore-scripts --prefix tests/browser
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(DRIVER) --require-hashes --requirement tests/browser/requirements.txt
	@PYTHONPATH=$(DRIVER) $(PYTEST) tests/browser -m browser $(ARGS)

test-alertmanager: $(STAMP)  ## routing decides as Debian's Alertmanager does (ALERTMANAGER_TREE=folder of the unpacked package)
	@$(PYTEST) -n 2 --dist loadfile tests/alertmanager -m alertmanager $(ARGS)

test-poolers: $(STAMP)  ## PgBouncer before PostgreSQL, in session and transaction mode (PGBOUNCER=path of its program)
	@$(PYTEST) -m pgbouncer $(ARGS)

test-tls: $(STAMP)  ## a PostgreSQL with TLS, by both drivers and every process (POSTGRES_TREE=folder of the unpacked package)
	@$(PYTEST) -m tls $(ARGS)

check: $(STAMP)  ## format, lint, types, import contracts, size budget, YAML: what CI refuses, in under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.architecture.size_budget
	$(BIN)/yamllint --strict .

fmt: $(STAMP)  ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --select I --fix .

bench: $(STAMP)  ## speed, side by side with peers (ARGS="ingest --quick"); writes benchmarks/results
	@$(BIN)/python -m benchmarks $(ARGS)

mutate: $(STAMP)  ## change each decision a little: does a test notice? (an hour; ARGS="services.journey.domain.rules.*")
	@$(BIN)/mutmut run $(ARGS)

lock: $(STAMP)  ## resolve requirements.lock again (names in pyproject.toml, exact versions and hashes in the lock)
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --upgrade --python-version 3.11 \
		--no-emit-index-url --no-header --no-annotate --output-file requirements.lock

env-example: $(STAMP)  ## write .env.example again from the settings that the services declare
	$(BIN)/python -m tests.architecture.settings

dashboards: $(STAMP)  ## write the dashboards' JSON again from deploy/grafana/sources
	$(BIN)/python -m deploy.grafana.build

metrics-page: $(STAMP)  ## write docs/metrics.md again from the metrics that the services declare
	$(BIN)/python -m tests.architecture.metrics_page

signals-page: $(STAMP)  ## write docs/signals.md and docs/signals.ko.md again from the shipped rules
	$(BIN)/python -m tests.architecture.signals_page

signals-measured: $(STAMP)  ## write docs/signals-measured.md again; LOG=the help desk log
	$(BIN)/python -m benchmarks.signals $(LOG)

conversations-page: $(STAMP)  ## write docs/conversations.md again from what channel systems' deliveries become
	$(BIN)/python -m tests.unit.ingest.webhooks.conversation_stories

clean:  ## remove what can be made again (not .venv, not your data)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist mutants
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
