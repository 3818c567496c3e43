# signflow: `make help` lists the targets. Everything runs in .venv, which `make setup` fills from requirements.lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PYTHONSAFEPATH := 1
export OMP_WAIT_POLICY := PASSIVE

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# what build-bitstream and package make unless told otherwise: the board that needs no vendor tool, the network it has room for
BIT_BOARD := $(or $(BOARD),ulx3s)
BIT_NET := $(or $(NET),$(if $(filter ulx3s,$(BIT_BOARD)),tfc,cnv))
NET ?= cnv
SHIPPED := tfc sfc lfc cnv
COST := sfc:781250 cnv:13888
BOARD ?= pynq-z2
SEEDS ?= 0..999
HOURS ?= 1
ARGS ?=
PIP := $(BIN)/pip install --disable-pip-version-check
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
WITHOUT_TORCH := awk '/^[a-z]/ { keep = !/^(torch|triton|cuda-|nvidia-)/ } keep'
# two halves of the lock, and torch: three pips at a time take half the time of one
HALVES = awk '/^[a-z]/ { half = !half } { print > ".venv/lock-" half }' requirements.lock
# what they say, as a line for every ten packages
COUNT = awk -v of=$$(grep -c == requirements.lock) '/^(Collecting|Processing|Ignoring)/ && ++n % 10 == 0 { print "  " n " of " of " packages"; fflush() }'

.PHONY: help setup lock demo test test-slow prove mutants soak fuzz interrupts driver-soak ladder cost bench build-bitstream package train notebooks docs lint format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 25
	@echo; echo "variables: NET=$(NET) ($(SHIPPED))  BOARD=$(BOARD)  ARGS='...' (passed on)  PYTHON=$(PYTHON)"

setup: $(READY) ## create the environment .venv from requirements.lock

# Every package exactly as locked and checked by its hash; without dependencies, because the lock has them all. And torch,
# which the lock leaves out: its builds for CPU and for CUDA are other files of one version, from other indexes, and bring
# other libraries along, which come last. pip's settings choose (docs/install.md). Byte code is written by the first
# import, for the third of the modules that is ever imported.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11 or newer, or set PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) -V) is too old: 3.11 or newer is needed"; exit 1; }
	@command -v g++ make >/dev/null || { echo "error: g++ and make are needed (Debian: apt install g++ make)"; exit 1; }
	@echo "creating .venv: two minutes and 1.9 GB, with a torch for CUDA several GB more"
	@$(PYTHON) -m venv .venv
	@$(HALVES)
	@set -o pipefail; printf '%s\n' $(TORCH) '--require-hashes -r .venv/lock-0' '--require-hashes -r .venv/lock-1' \
	  | xargs -P 3 -L 1 $(PIP) --no-compile --no-deps | $(COUNT)
	@echo "  what torch brings along"
	@$(PIP) --no-compile --quiet --no-warn-conflicts $(TORCH)
	@$(PIP) --quiet --no-deps --no-build-isolation -e .
	@touch $@

lock: ## write requirements.lock anew: what pyproject.toml asks for, as of the day it names (needs uv)
	@rm -f uv.lock
	@set -o pipefail; uv export --quiet --all-groups --no-emit-project --no-annotate --no-header | $(WITHOUT_TORCH) > requirements.new
	@mv requirements.new requirements.lock

demo: setup ## the whole flow on the shipped network and images, ending with the ladder as a table
	@$(BIN)/signflow demo --net $(NET) --board $(BOARD) $(ARGS)

test: setup ## the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests $(ARGS)

test-slow: setup ## the tests that need more than a minute each
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow tests $(ARGS)

prove: setup ## the contract of every RTL module, proven for every input; MODULE by ARGS
	@$(BIN)/signflow prove $(ARGS)

mutants: setup ## a mutation score: faults in the RTL and in the compiler, each to be found by a proof or a test; resumable
	@for half in rtl python; do $(BIN)/python -m signflow.tests.campaigns.mutants $$half $(ARGS) || bad=1; done; exit $$bad

soak: setup ## random networks up the ladder, failing ones shrunk to tests: SEEDS=0..999 HOURS=1, ARGS='--until integer'
	@nice $(BIN)/python -m signflow.tests.campaigns.soak --seeds $(SEEDS) --hours $(HOURS) $(ARGS)

fuzz: setup ## coverage-guided fuzzing of the doors TARGET [all], MINUTES [30] each; needs Atheris, which the lock leaves out
	@$(BIN)/python -c 'import atheris' 2>/dev/null || { echo "error: Atheris is missing (35 MB): run .venv/bin/pip install atheris==3.0.0"; exit 1; }
	@$(BIN)/python -m signflow.tests.campaigns.fuzz $(TARGET) --minutes $(or $(MINUTES),30) $(ARGS)

interrupts: setup ## 200 events: every verb killed, interrupted, starved, run twice at once; then byte for byte as undisturbed
	@nice $(BIN)/python -m signflow.tests.campaigns.interrupts $(ARGS)

driver-soak: setup ## the driver on the simulated board, a fault every few thousand images: IMAGES [10000000]
	@nice $(BIN)/python -m signflow.tests.campaigns.driver --images $(or $(IMAGES),10000000) $(ARGS)

ladder: setup ## the shipped BN networks as fast as they fit, all images of the Fashion-MNIST test set
	@$(BIN)/signflow data
	@for net in $(SHIPPED); do \
	  $(BIN)/signflow build $$net --board $(BOARD) && \
	  $(BIN)/signflow verify $$net --board $(BOARD) --split test $(ARGS) && \
	  $(BIN)/signflow report $$net --board $(BOARD) || exit 1; done
	@$(BIN)/signflow table $(SHIPPED) --board $(BOARD)

cost: setup ## what each normalisation costs: sfc and cnv in all that ship, at the same images a second, all test images
	@$(BIN)/signflow data
	@for rate in $(COST); do net=$${rate%:*}; all=$$(basename -as .npz models/weights/$$net.npz models/weights/$$net-*.npz); \
	  for n in $$all; do work=out/cost/$$n-$(BOARD); \
	    $(BIN)/signflow build $$n --board $(BOARD) --target-fps $${rate#*:} --out $$work && \
	    $(BIN)/signflow verify $$n --out $$work --split test && \
	    $(BIN)/signflow report $$n --out $$work || exit 1; done; \
	  $(BIN)/signflow table $$all --board $(BOARD) --out out/cost --against | tee out/cost/$$net.md; done

bench: setup ## the figures and pictures of docs/performance.md: models against synthesis, networks against others; resumable
	@$(BIN)/signflow bench $(ARGS)

build-bitstream: setup ## bitstream of NET for BOARD [tfc, ulx3s: no vendor tool]; PYNQ boards need Vivado (VIVADO=...), without it exit code 3
	@$(BIN)/signflow bitstream $(BIT_NET) --board $(BIT_BOARD) $(ARGS)

package: setup ## one zip for the board: bitstream, driver, self-test, notebook
	@$(BIN)/signflow package $(BIT_NET) --board $(BIT_BOARD) $(ARGS)

train: setup ## train NET on Fashion-MNIST as its recipe says (experiments/fashion-$(NET).toml), resumable
	@$(BIN)/signflow data
	@$(BIN)/signflow train experiments/fashion-$(NET).toml $(ARGS)

docs: setup ## the manual as a site in out/site, to open in a browser without a network; links and anchors checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet $(ARGS)
	@echo "the manual is out/site/index.html"

notebooks: setup ## execute the notebooks and store their outputs; ARGS='--check' compares instead, ARGS=50_papers takes one
	@$(BIN)/python notebooks/execute.py $(ARGS)

lint: setup ## ruff, and every RTL module alone under Verilator -Wall
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -q tests/hw/test_lint.py

format: setup ## let ruff format the Python files
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

-include docker/docker.mk

clean: ## remove products (out/), not the environment
	@rm -rf out build
