# Everything happens inside the clone: .venv, .ros and build folders; `make clean` removes them.
PYTHON ?= python3
INPUT ?=
VIEW ?=
LESS ?=
SHELL := /bin/bash
export MAKEFLAGS += --no-print-directory

IN_ENV = . .ros/environment.sh &&
# One thread each, and three workers for two cores, as tests of nodes wait for each other's messages;
# `unit` has two, as none of its tests waits. Files in the order of tests/conftest.py, long ones first.
# Freed memory is kept, up to blocks of 32 MB, as page faults take 4 % of the time.
PYTEST = OMP_NUM_THREADS=1 MALLOC_TOP_PAD_=67108864 MALLOC_TRIM_THRESHOLD_=4294967296 \
	MALLOC_MMAP_THRESHOLD_=33554432 python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help setup test check tests unit demo gpu lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What tests, training and locking need is installed for them, whatever LESS was before.
test check tests unit lock: LESS = 0

setup:  ## prepare .venv, ROS 2 and the message packages (only what has changed); LESS=1
	@command -v $(PYTHON) >/dev/null || { echo "set-up: expected Python 3.10 or newer as \
	'$(PYTHON)', found none; install it or run make with PYTHON=<its path>" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "set-up: expected \
	Python 3.10 or newer, '$(PYTHON)' is $$($(PYTHON) -V 2>&1); install a newer one or run make \
	with PYTHON=<its path>" >&2; exit 1; }
	@LESS="$(LESS)" $(PYTHON) tools/set_up.py

test: setup  ## everything that CI runs: `check` and all tests, side by side
	@$(MAKE) check & check=$$!; $(MAKE) tests; tests=$$?; wait $$check && exit $$tests

check: setup  ## ruff, mypy, and the packages that colcon finds
	@$(IN_ENV) ruff check . && ruff format --check --quiet .
	@$(IN_ENV) mypy
	@$(IN_ENV) python -m colcon --log-base /dev/null list --base-paths . smpler_msgs

tests: setup
	@$(IN_ENV) $(PYTEST) --durations 15

unit: setup  ## the quick tests: no node, no colcon, no training run
	@$(IN_ENV) $(PYTEST) -n 2 -m "not own_process and not slow"

demo: setup  ## camera, node, bag and evaluation over live topics; INPUT=video.mp4, VIEW=1
	@$(IN_ENV) python -m smpler_ros.demo --input "$(INPUT)" $(if $(filter-out 0,$(VIEW)),--view)

gpu:  ## on a machine with a GPU, with the PyTorch that is there: its tests and figures, to gpu.json
	@command -v $(PYTHON) >/dev/null || { echo "gpu: expected Python 3.10 or newer as '$(PYTHON)', \
	found none; install it or run make with PYTHON=<its path>" >&2; exit 1; }
	@$(PYTHON) tools/gpu.py

lock: setup  ## resolve constraints.txt again, keeping the versions that still fit
	@$(IN_ENV) python -m pip install --quiet uv
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links \
	--group pip --group model --group tracking --group tracking-needs --group bags --group train --group extra --group viewer --group check \
	--group build --group ros \
	--output-file constraints.txt

clean:  ## remove environments, builds and caches; results (runs, gpu.json) stay
	rm -rf .venv .ros .gpu build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis
