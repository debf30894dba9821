# make demo    set up .venv and take the whole road on data that comes with the program
# make test    set up .venv and pass the tests
# make bench   set up .venv and the peers, and measure all on the same work (needs a C++ compiler)
# make bench-large    time against work, up to 1,000,000 neurons (needs 24 GiB of memory)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# a CPU build of torch unless another is asked for
CONSTRAINTS := -c constraints.txt

.PHONY: demo test test-hwsim lint format bench bench-large lock clean

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(CONSTRAINTS) torch
	$(PIP) $(CONSTRAINTS) -e .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(PIP) $(CONSTRAINTS) -e '.[test,dev]'
	touch $@

$(BIN)/.installed-bench: $(BIN)/.installed
	$(PIP) $(CONSTRAINTS) -e '.[bench]'
	touch $@

demo: $(BIN)/.installed
	$(BIN)/neuro demo

test: $(BIN)/.installed-dev
	$(BIN)/python -m pytest
	$(BIN)/python tests/without_torch.py

lint: $(BIN)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(BIN)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BIN)/.installed-bench
	$(BIN)/python -m benchmarks

bench-large: $(BIN)/.installed
	$(BIN)/python -m benchmarks.scaling

clean:
	rm -rf $(VENV) build dist *.egg-info
