# make demo, make test, make lint, make bench, make clean. ROS=jazzy builds and tests against the Jazzy wheels.

ROS ?= kilted
PYTHON ?= python3
VENV := $(if $(filter kilted,$(ROS)),.venv,.venv-$(ROS))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PINS := --constraint constraints.txt --constraint constraints-$(ROS).txt
INTERFACES := $(shell find msg -name '*.msg' -o -name '*.action' -o -name '*.srv' -o -name '*.txt' -o -name '*.toml' -o -name '*.xml' -o -name '*.cmake' -o -name '*.py')
SOURCE ?= bags/demo
OUT ?= out/demo

.PHONY: demo test lint bench engines-check clean install
.DEFAULT_GOAL := test

install: $(VENV)/.installed

# torch comes first and alone, so that nothing pulls CUDA packages onto a machine without a GPU.
$(VENV)/.torch: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt torch
	touch $@

$(VENV)/.packages: $(VENV)/.torch setup.py requirements-dev.txt constraints-$(ROS).txt
	$(PIP) $(PINS) --editable '.[ros-wheels,diffusers,engines,evaluation,lora,quantise,sentencepiece,tensorboard]' --requirement requirements-dev.txt
	$(PIP) $(PINS) --no-deps trackeval
	touch $@

# 230 MB that only the tests of engines need.
$(VENV)/.tensorrt: $(VENV)/.packages
	$(PIP) $(PINS) tensorrt-rtx || echo "there is no tensorrt-rtx for this machine: tests that build its engines are skipped"
	touch $@

# The box tracker's loops are compiled here, and not by the first node that follows something.
$(VENV)/.installed: $(VENV)/.packages $(INTERFACES)
	$(PIP) $(PINS) --force-reinstall --no-deps ./msg
	$(BIN)/python -c "from vitron_ros.tracking import default_tracker, warm_up; warm_up.warm_up(default_tracker.DefaultTracker())"
	touch $@

demo: install
	$(BIN)/vitron demo $(SOURCE) --out $(OUT)

test: install $(VENV)/.tensorrt
	$(BIN)/python -m pytest --numprocesses 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/vitron bench stream

# Engines of full size, built without a GPU: about 5 GB of memory.
engines-check: install $(VENV)/.tensorrt
	VITRON_ENGINES_CHECK=1 $(BIN)/python -m pytest tests/engines tests/backends

clean:
	rm -rf .venv .venv-* out build install log dist *.egg-info msg/build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
