# The container, on the machine outside; docker/README.md. Included by the Makefile where this file is.

.PHONY: docker-build docker-test docker-build-bitstream

DOCKER ?= docker
IMAGE ?= signflow
VIVADO_DIR := $(if $(VIVADO_PATH),$(abspath $(VIVADO_PATH)))
# the newest one; from 2025 on the version comes before the word Vivado
VIVADO_BIN := $(if $(VIVADO_DIR),$(lastword $(wildcard $(VIVADO_DIR)/bin/vivado) \
  $(sort $(wildcard $(VIVADO_DIR)/Vivado/*/bin/vivado)) \
  $(sort $(wildcard $(VIVADO_DIR)/*/Vivado/bin/vivado))))

docker-build: ## the container image, see docker/README.md
	@$(DOCKER) build $(DOCKER_BUILD_ARGS) -t $(IMAGE) -f docker/Dockerfile .

docker-test: docker-build ## the RTL equivalence tests in the image, without network
	@$(DOCKER) run --rm --network none $(DOCKER_RUN_ARGS) -e OMP_NUM_THREADS=1 $(IMAGE) python -m pytest -n 2 tests/equivalence tests/hw $(ARGS)

docker-build-bitstream: ## build-bitstream for a PYNQ board in the image, with Vivado mounted: VIVADO_PATH=/opt/Xilinx
	@[ -n "$(VIVADO_BIN)" ] || { echo "error: VIVADO_PATH='$(VIVADO_PATH)' holds no Vivado (bin/vivado, Vivado/*/bin/vivado, */Vivado/bin/vivado): give the folder it is installed in, e.g. VIVADO_PATH=/opt/Xilinx"; exit 3; }
	@$(MAKE) --no-print-directory docker-build
	@mkdir -p out
	@$(DOCKER) run --rm $(DOCKER_RUN_ARGS) --user $$(id -u):$$(id -g) -e HOME=/tmp -e USER=signflow -e XILINXD_LICENSE_FILE -e VIVADO=$(VIVADO_BIN) \
	  -v $(VIVADO_DIR):$(VIVADO_DIR):ro -v $(CURDIR)/out:/home/signflow/signflow/out $(IMAGE) make build-bitstream NET=$(NET) BOARD=$(BOARD) ARGS='$(ARGS)'
