# Four commands: make, make demo, make test, make bench. Meson does the building.
BUILD ?= build
PYTHON ?= /usr/bin/python3

.PHONY: all deps test-deps configure demo test bench clean install

all: configure
	@meson compile -C $(BUILD) >$(BUILD)/make.log 2>&1 || { tail -50 $(BUILD)/make.log; exit 1; }
	@mkdir -p $(BUILD)/bin && ln -sfn ../daemon/tpldd $(BUILD)/bin/tpldd && ln -sfn ../ctl/tpldctl $(BUILD)/bin/tpldctl
	@echo "built $(BUILD)/bin/tpldd and $(BUILD)/bin/tpldctl"

deps:
	@scripts/install-deps.sh build

test-deps:
	@scripts/install-deps.sh build test

configure: deps
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null

demo: all
	@demo/demo.sh $(BUILD)

test: test-deps all
	@$(PYTHON) tests/run.py $(BUILD)

# make bench BENCH="train_step deeplabv2-resnet101 512x1024" runs one.
bench:
	@$(MAKE) --no-print-directory all >&2
	@tests/bench/bench.sh $(BUILD) $(BENCH)

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)
