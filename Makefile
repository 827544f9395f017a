# Two commands on a fresh machine: `make demo` and `make test`. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCREEN := tools/with-screen.sh

# Two workers, each of one thread: torch's own threads would only wait for each other. One arena:
# glibc keeps what each thread has freed apart, a hundred megabytes in a few files of tests.
TESTS := OMP_NUM_THREADS=1 MALLOC_ARENA_MAX=1 $(BIN)/python -m pytest -n 2 --dist loadfile \
	--no-loadscope-reorder --ignore=tests/torture
DOCKS := tests/viewer tests/widgets tests/demo tests/series
OLDEST := .venv-oldest
NEWEST := .venv-newest
SITE := .venv-docs

.DEFAULT_GOAL := help
.PHONY: help setup system demo test suite lint docs check check-long check-pages check-oldest check-newest check-async \
	check-wheel torture clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: system $(STAMP) ## Make the virtual environment and install everything into it

system: ## Check (and as root on Debian install) the libraries Qt and OpenGL need
	@sh tools/system-libraries.sh

# torch first and by number: otherwise pip takes a build with gigabytes of CUDA.
$(STAMP): pyproject.toml constraints.txt
	@sh tools/make-venv.sh "$(PYTHON)" $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: setup ## Segment real images in napari, with a window or on a virtual screen
	@sh $(SCREEN) $(BIN)/napari-seem demo

test: setup ## Check style, types and imports and run the tests: about 7 minutes on 2 cores
	@$(MAKE) --no-print-directory -j 2 lint suite

# The docks apart: napari's windows never give all their memory back, processes do.
suite: setup
	@$(TESTS) -m "not long" $(DOCKS); docks=$$?; \
	$(TESTS) -m "not long" $(addprefix --ignore=,$(DOCKS)) && exit $$docks

lint: setup ## Check style, types and import directions: half a minute
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/pages.py --write build/programs
	@$(BIN)/mypy src/napari_seem build/programs

docs: system $(SITE)/.installed ## Build the documentation site into docs/_build/html, with no network; any warning fails
	@sh $(SCREEN) $(SITE)/bin/python -m sphinx -W --keep-going -n -q -E docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

$(SITE)/.installed: pyproject.toml constraints.txt
	@sh tools/make-venv.sh "$(PYTHON)" $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	@touch $@

check: test check-long check-pages check-async check-wheel check-oldest docs ## What `make test` has no time for: about 35 minutes

check-long: setup # what takes long for what a shorter test shows too
	@$(TESTS) -m long

check-pages: setup # the programs of README and docs by mypy as users run it
	@$(BIN)/python tools/pages.py

check-async: setup # the docks while napari slices in threads
	@NAPARI_ASYNC=1 $(TESTS) $(DOCKS)

check-wheel: setup # the wheel in a fresh environment, away from the checkout
	@sh tools/check-wheel.sh "$(PYTHON)"

check-oldest: setup # all tests with the oldest napari of pyproject.toml
	@sh tools/oldest-napari.sh "$(PYTHON)" $(OLDEST)
	@$(subst $(BIN),$(OLDEST)/bin,$(TESTS))

check-newest: setup # all tests with the newest napari that is allowed, and the newest of everything
	@sh tools/make-venv.sh "$(PYTHON)" $(NEWEST)
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check torch
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@$(subst $(BIN),$(NEWEST)/bin,$(TESTS))

torture: setup ## Kill, damage, fill and shuffle at random: hours; COUNT=100 is a short one
	@TORTURE=$${COUNT:-10000} $(subst --ignore=tests/torture,,$(TESTS)) tests/torture

clean: ## Remove the virtual environments, the site, and what the demo wrote
	rm -rf $(VENV) $(OLDEST) $(NEWEST) $(SITE) docs/_build docs/gallery docs/reference demo-output
