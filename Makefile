# Digitline. `make help` lists what can be made; every target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
CHROMIUM ?= chromium

# PostgreSQL refuses to run as root, so its wheel makes a user by useradd, which is not on the path after a plain `su`.
export PATH := $(PATH):/usr/sbin:/sbin

# A stamp changes when its pins do, and then what it stands for is made anew.
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
FUZZING := $(VENV)/.fuzzing-installed
BENCHING := $(VENV)/.benching-installed
BROWSING := $(VENV)/.browsing-installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(RUNTIME) ## Make .venv and install the pinned requirements

.PHONY: demo
demo: $(RUNTIME) ## Score 10,000 real digits through the whole line, print the result, write report.html
	$(BIN)/digitline demo $(ARGS)

.PHONY: up
up: $(RUNTIME) ## Run the line on this machine; drop folders into digitline-home/inbox
	$(BIN)/digitline up $(ARGS)

.PHONY: models
models: $(RUNTIME) ## Train the shipped models anew into build/models; DATA=mnist/ names MNIST's files; goes on where it was killed
	@for recipe in training/recipes/*.toml; do \
		name=$$(basename $$recipe .toml); \
		test -f build/models/$$name/card.json || \
		$(BIN)/digitline train --recipe $$name --output build/models/$$name $(if $(DATA),--data $(DATA)) || exit 1; \
	done

.PHONY: bench
bench: $(BENCHING) ## Measure the speed beside a bare loop and other ways, 40 minutes; ARGS="--only roofline --only line-sqlite"
	$(BIN)/python -m benchmarks.speed $(ARGS)

.PHONY: profile
profile: $(BENCHING) ## Draw where a worker process spends its time, into build/profile.svg; ARGS="--line line-postgresql"
	$(BIN)/python -m benchmarks.speed.profile $(ARGS)

.PHONY: bench-pictures
bench-pictures: $(RUNTIME) ## Read pictures as people send them, made from MNIST's test digits; DATA=mnist/ names its files
	$(BIN)/python -m benchmarks.pictures $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: bench-scale
bench-scale: $(DEVELOPMENT) ## Take 1,000,000 images through the line on both databases, 5 minutes; ARGS="--images 100000 --score"
	$(BIN)/python -m benchmarks.scale $(ARGS)

.PHONY: test
test: $(DEVELOPMENT) ## Run the tests, a file to each core; ARGS="tests/core -k lease" chooses
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile $(ARGS)

.PHONY: screenshots
screenshots: chromium $(BROWSING) ## Take the pictures of the docs from real lines in a real browser, 3 minutes; CHROMIUM names the browser
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m tests.browser.screenshots_flower
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m tests.browser.pictures

.PHONY: test-web
test-web: chromium $(BROWSING) ## Drive the pages in headless Chromium, 3 minutes; CHROMIUM names the browser, ARGS="-k upload" chooses
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -o 'norecursedirs=.*' tests/browser $(ARGS)

# Before all else, for it takes minutes to install the rest. No other browser than Debian's can be installed.
.PHONY: chromium
chromium:
	@command -v "$(CHROMIUM)" >/dev/null || { test "$(CHROMIUM)" = chromium && test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium && command -v chromium >/dev/null; } || \
		{ echo "There is no browser $(CHROMIUM): sudo apt-get install chromium, or name one: make CHROMIUM=/usr/bin/google-chrome"; exit 1; }

.PHONY: chaos
chaos: $(DEVELOPMENT) ## Kill, freeze and cut the whole line while folders arrive; ARGS="--minutes 3 --seed 1"
	$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: deploy-test
deploy-test: $(DEVELOPMENT) ## Prove docker-compose.yml on a real Docker engine (Debian, as root); ARGS="--until score" chooses
	$(BIN)/python -m tests.deploy.engine $(ARGS)

.PHONY: hosts-test
hosts-test: $(DEVELOPMENT) ## Prove the line on four hosts of a network of its own whose links go down (Linux, as root), 5 minutes
	$(BIN)/python -m tests.hosts $(ARGS)

.PHONY: fuzz
fuzz: $(FUZZING) ## Fuzz what reads images, guided by coverage (Linux on x86-64); ARGS="--seconds 60"
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

.PHONY: lint
lint: $(DEVELOPMENT) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(DEVELOPMENT) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: ## Pin the newest requirements that pyproject.toml allows (needs uv on the PATH)
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
		pyproject.toml --group build -o requirements.txt
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
		pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
		--group fuzz -o requirements-fuzz.txt
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
		--group browser -c requirements-dev.txt -o requirements-browser.txt
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
		--group bench -c requirements.txt -c requirements-dev.txt -o requirements-bench.txt

.PHONY: clean
clean: ## Remove .venv and every cache; the line's home stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache digitline.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Digitline needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	$(call install,requirements.txt)
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	$(call install,requirements-dev.txt)
	@touch $@

$(FUZZING): requirements-fuzz.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

$(BENCHING): requirements-bench.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

$(BROWSING): requirements-browser.txt $(DEVELOPMENT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.txt
	@touch $@

# Bytecode is compiled here, also where PYTHONDONTWRITEBYTECODE is set: without it TensorFlow takes 10 s longer to start.
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib core classifier scheduler worker training digitline migrations benchmarks
endef
