# Everything runs in .venv. Its packages come from requirements/*.txt, pinned by version and hash;
# `make lock` writes those files. PYTHON chooses the interpreter that .venv is made with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := src tests deploy docs $(wildcard benchmarks)
DYNAMODB_LOCAL := .cache/dynamodb-local
EARLIER_LOCAL := .cache/dynamodb-local-2.6.1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-local test-image soak soak-move rehearse rehearse-back rehearse-passes after-go fuzz fuzz-lineage fuzz-applier model check bench bench-quick bench-throttle bench-follow docs lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## two accounts on this machine: a table moved while it is written, checked
	$(BIN)/dynaferry demo

# At a time: most tests wait for processes, so there may be more than cores.
WORKERS ?= 3
test: $(VENV)/.dev  ## the tests; those that need DynamoDB Local skip where it is missing
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-local: $(VENV)/.dev $(DYNAMODB_LOCAL)/.fetched $(EARLIER_LOCAL)/.fetched  ## the tests against DynamoDB Local (Java 17, Maven)
	DYNAFERRY_REQUIRE_DYNAMODB_LOCAL=1 $(BIN)/python -m pytest tests/local

N ?= 100
FIRST ?= 0
KILLS ?= 20
RUNS ?= 10
soak: $(VENV)/.dev  ## faults, kills and throttled runs: make soak N=1000 KILLS=200 RUNS=200 FIRST=0
	$(BIN)/python -m tests.faults.soak --mixtures $(N) --first-seed $(FIRST)
	$(BIN)/python -m tests.kills.soak --kills $(KILLS) --first-seed $(FIRST)
	$(BIN)/python -m tests.faults.throttled_soak --runs $(RUNS) --first-seed $(FIRST)

soak-move: N = 20
soak-move: $(VENV)/.dev  ## moves that are killed while their source is written: make soak-move N=300 FIRST=0
	$(BIN)/python -m tests.moves.soak --moves $(N) --first-seed $(FIRST) --tell

rehearse: N = 20
rehearse: $(VENV)/.dev  ## cut-overs at 2,000 changes a second, then with trouble, then killed in every state: make rehearse N=20 KILLS=200 FIRST=0
	$(BIN)/python -m tests.moves.rehearse --times $(N) --first $(FIRST)
	for scenario in late throttled lost-answers never-stop kill; do \
		$(BIN)/python -m tests.moves.rehearse --times 2 --first $(FIRST) --scenario $$scenario || exit 1; \
	done
	$(BIN)/python -m tests.moves.rehearse --kills $(KILLS) --first $(FIRST)
	$(BIN)/python -m tests.model.fuzz_switch

rehearse-back: N = 5
rehearse-back: $(VENV)/.dev  ## switches and ways back, then some in which processes are killed: make rehearse-back N=20 FIRST=0
	$(BIN)/python -m tests.moves.go_back --times $(N) --first $(FIRST)
	$(BIN)/python -m tests.moves.go_back --times $(N) --first $(FIRST) --kills

rehearse-passes: N = 5
rehearse-passes: $(VENV)/.dev  ## switches without a stream, the told outage beside the real one, then with faults and kills: make rehearse-passes N=5 FIRST=0
	$(BIN)/python -m tests.moves.rehearse_passes --times $(N) --first $(FIRST)
	$(BIN)/python -m tests.moves.rehearse_passes --times $(N) --first $(FIRST) --faults

ITEMS ?= 1000000
after-go: $(VENV)/.dev  ## a million items compared behind a go, beside 500 writes a second to the target: make after-go ITEMS=1000000
	$(BIN)/python -m tests.moves.after_go --items $(ITEMS)

FILES ?= 3000
fuzz: $(VENV)/.dev  ## state files with something wrong in them, under every command: make fuzz FILES=3000 FIRST=0
	$(BIN)/python -m tests.state.fuzz --seeds $(FILES) --first-seed $(FIRST)

FORESTS ?= 10000
fuzz-lineage: $(VENV)/.dev  ## streams that split, roll and are trimmed, read by their lineage: make fuzz-lineage FORESTS=10000 FIRST=0
	$(BIN)/python -m tests.follow.fuzz_lineage --forests $(FORESTS) --first $(FIRST)

SEEDS ?= 100
fuzz-applier: $(VENV)/.dev  ## a target that throttles, refuses and loses responses, and an applier that is killed: make fuzz-applier SEEDS=100 FIRST=0
	$(BIN)/python -m tests.follow.fuzz_applier --seeds $(SEEDS) --first $(FIRST)

BEGIN ?=
model: $(VENV)/.dev  ## every history of a copy that is followed, for two keys, to the last state; half an hour of a core: make model BEGIN="the check to go on with"
	$(BIN)/python -m tests.model.follow_checks --begin "$(BEGIN)"
	$(BIN)/python -m tests.model.follow_switch_checks

test-image: $(VENV)/.dev  ## the steps of the image's build, without a container; installs anew
	DYNAFERRY_BUILD_IMAGE_STEPS=1 $(BIN)/python -m pytest tests/deploy/test_docker.py

check: $(VENV)/.dev  ## lint, format, types, and who imports whom
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## how fast the copy is on this machine; writes benchmarks/results and docs/measured.md
	$(BIN)/python -m benchmarks

bench-throttle: $(VENV)/.dev  ## how well the pace is found, beside a plain loop; writes benchmarks/results/throttle.html
	$(BIN)/python -m benchmarks.throttle --out benchmarks/results/throttle.html

bench-follow: $(VENV)/.dev  ## how far behind a move is and what it takes; writes benchmarks/results/follow.*; half an hour
	$(BIN)/python -m benchmarks.follow --out benchmarks/results/follow.html

docs: $(VENV)/.dev  ## writes docs/cli.md, docs/alerts.md and deploy/grafana/dashboard.json anew
	$(BIN)/python docs/make_cli.py
	$(BIN)/python deploy/grafana/make_dashboard.py
	$(BIN)/python deploy/prometheus/make_alerts_page.py

bench-quick: $(VENV)/.dev  ## a first look at that, in under two minutes; changes no file that is kept
	$(BIN)/python -m benchmarks --quick

clean:  ## removes all that make made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf dist build .dynaferry
	find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +

# The virtual environment ----------------------------------------------------------------------
# A stamp says which lock is installed. No build isolation: what builds is locked as well, so pip
# fetches nothing that is not named, with its hash, in requirements/.

LOCKED := --require-hashes --no-build-isolation --use-pep517

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'dynaferry needs Python 3.11 or newer, and `$(PYTHON)` is not;' \
			'name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

define install
	@echo 'installing what requirements/$(1).txt names into $(VENV): about a minute, once'
	$(PIP) install --require-hashes --only-binary :all: -r requirements/build.txt
	$(PIP) install $(LOCKED) -r requirements/$(1).txt
	$(PIP) install --no-deps --no-build-isolation --editable .
endef

$(VENV)/.demo: requirements/build.txt requirements/demo.txt pyproject.toml | $(BIN)/python
	$(call install,demo)
	touch $@

# What the demo needs is part of this.
$(VENV)/.dev: requirements/build.txt requirements/dev.txt pyproject.toml | $(BIN)/python
	$(call install,dev)
	touch $@ $(VENV)/.demo

# Lock files -----------------------------------------------------------------------------------
# One file for every Python and platform, with no address in it. Versions stay as they are unless
# pyproject.toml asks for others; `make lock UPGRADE=1` takes the newest of everything.

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(if $(UPGRADE),--upgrade)

lock: | $(BIN)/python  ## writes requirements/*.txt anew from pyproject.toml
	$(PIP) install uv
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra demo -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	$(COMPILE) requirements/build.in -c requirements/dev.txt -o requirements/build.txt

# DynamoDB Local -------------------------------------------------------------------------------
# Strict checksums: Maven refuses a jar that is not what its repository says it is.

$(EARLIER_LOCAL)/.fetched: ENGINE := -Dengine=2.6.1 -Dengine.group=com.amazonaws
$(DYNAMODB_LOCAL)/.fetched $(EARLIER_LOCAL)/.fetched: tests/local/pom.xml
	rm -rf $(@D)
	mvn --batch-mode --quiet --strict-checksums $(ENGINE) --file tests/local/pom.xml \
		dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory=$(CURDIR)/$(@D)
	touch $@
