# Needed on the machine: Python 3.11 or newer with venv, make, git. Everything else comes into .venv by itself.

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.lock
UV := uv==0.13.9
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(ARGS)

# The first that is new enough; `make PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11, \
	$(shell $(name) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test guarantee chaos simulate bench check fmt wheel lock pictures

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/ready ## play three hours of a shop on the real engine; ARGS="--exit --report FILE" are passed on
	$(BIN)/waggle demo $(ARGS)

test: $(VENV)/ready ## run the tests, the real engine among them; ARGS="tests/domain -k quiet" are passed on
	@$(BIN)/waggle engine fetch --prepare || echo "Tests that need the engine will be skipped." >&2
	$(BIN)/pytest -n 3 --dist loadgroup -m "not guarantee and not wheel" $(ARGS)

guarantee: $(VENV)/ready ## run the slow proofs: kills, outages, the wheel in a clean environment
	$(BIN)/pytest -n 2 --dist loadgroup -m "guarantee or wheel" $(ARGS)

# Children are started while calls of the engine are under way; without the variable the library would say so each time.
chaos: $(VENV)/ready ## kill a real Waggle's processes and count what was lost or doubled; ARGS="--kills 200 --seed 7" are passed on
	GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/python -m waggle.testing.chaos $(ARGS)

simulate: $(VENV)/ready ## play every scenario of every journey and show what none reaches; ARGS="--pictures FOLDER" are passed on
	GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/waggle simulate --all $(ARGS)

WHAT ?= worker
bench: $(VENV)/ready ## compare worker clients on one real broker, an hour; WHAT=flagship: latency, peak; ARGS="--scale 0.1" are passed on
	GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/python -m benchmarks.$(WHAT) $(ARGS)

check: $(VENV)/ready ## look for faults without running anything: style, types, who imports whom, diagrams
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/lint/lint.py

fmt: $(VENV)/ready ## lay the code out and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/ready ## build dist/waggle-*.whl
	$(BIN)/python -m hatchling build --target wheel

pictures: $(VENV)/ready ## draw docs/pictures and docs/journeys.md anew from the diagrams (needs Node and Chromium)
	for diagram in bpmn/journeys/*.bpmn bpmn/pieces/*.bpmn; do \
		$(BIN)/python tools/pictures/render.py "$$diagram" "docs/pictures/$$(basename "$$diagram" .bpmn).svg" || exit 1; \
	done
	$(BIN)/python -m tools.pictures.gallery

# The locks name versions and hashes, never a place: each machine's own pip settings say where packages come from.
lock: $(VENV)/ready ## resolve requirements/*.lock anew from pyproject.toml; ARGS=--upgrade takes newer versions
	$(BIN)/python -m pip install --quiet "$(UV)"
	$(COMPILE) pyproject.toml --output-file requirements/run.lock
	$(COMPILE) --group pyproject.toml:build --output-file requirements/build.lock
	$(COMPILE) pyproject.toml --group pyproject.toml:dev --output-file $(LOCK)

$(VENV)/locked: $(LOCK)
	@test -n "$(PYTHON)" || { echo "Waggle needs Python 3.11 or newer with venv (Debian: python3-venv), and found none. \
	Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) from $(LOCK): some minutes, once" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@touch $@

# The project itself, with the tools from the lock: nothing is fetched.
$(VENV)/ready: $(VENV)/locked pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@
