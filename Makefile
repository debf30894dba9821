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
# read our NIR files in the tests; what they ask for (torchvision, a chip's driver, an older nir) they do not use there
READERS := norse==1.1.0 sinabs==3.1.3

.PHONY: demo test lint format bench bench-large clean

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(CONSTRAINTS) torch
	$(PIP) $(CONSTRAINTS) -e .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(PIP) $(CONSTRAINTS) -e '.[test,dev]'
	$(PIP) --no-deps $(READERS)
	touch $@

$(BIN)/.installed-bench: $(BIN)/.installed
	$(PIP) $(CONSTRAINTS) -e '.[bench]'
	touch $@

demo: $(BIN)/.installed
	$(BIN)/neuro demo

# hwsim's own tests run where there is no torch, on a newer Python if there is one
test: $(BIN)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/neuro tests/datasets tests/oracles tests/benchmarks
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
