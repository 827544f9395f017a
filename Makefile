# Two commands on a fresh machine: `make demo` and `make test`. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCREEN := tools/with-screen.sh

.DEFAULT_GOAL := help
.PHONY: help setup system demo test lint types clean

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

test: setup ## Run the tests, those of the docks in a real viewer
	@sh $(SCREEN) $(BIN)/python -m pytest

lint: setup ## Check style and import directions
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

clean: ## Remove the virtual environment and what the demo wrote
	rm -rf $(VENV) demo-output
