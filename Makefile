# A thin front door: Meson does the work. BUILD may name another build directory.
BUILD ?= build

.PHONY: all product images demo check matrix e2e bench asan conform lint fuzz install clean deps

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is missing: run \`make deps\` first" >&2; exit 1; }
	meson setup $(BUILD)

deps:
	tools/install-deps.sh

# Without the tests.
product: $(BUILD)/build.ninja
	ninja -C $(BUILD) product

# The archives stay in build/images, so that only the first time takes a minute.
images: product
	examples/broken-counter/build-images.sh
	examples/tutorial/build-images.sh
	for name in broken-counter broken-counter-client etcd etcd-health-checker etcd-client; do \
	    $(BUILD)/everett image load build/images/$$name.tar || exit 1; done

demo:
	tools/install-deps.sh --demo
	$(MAKE) images
	$(BUILD)/everett run examples/tutorial --for 60s

check: deps
	$(MAKE) all
	meson test -C $(BUILD) --print-errorlogs

# The service with real clients, browsers and the tutorial's flow; writes $(BUILD)/e2e.json. Tools
# that are not installed are unpacked or built below $(BUILD)/tools; what cannot be had is skipped.
e2e: deps
	$(MAKE) all
	python3 tests/e2e/e2e.py $(BUILD)

# Takes some minutes, as root or where users may make namespaces.
matrix:
	tools/install-deps.sh --programs
	$(MAKE) all
	python3 tests/matrix/run.py --everett $(BUILD)/everett --json $(BUILD)/matrix.json \
	    --docs docs/matrix.md

bench: all images
	python3 bench/bench.py --build $(BUILD)

asan:
	test -f $(BUILD)-asan/build.ninja || \
	    meson setup $(BUILD)-asan -Db_sanitize=address,undefined -Db_lundef=false
	meson test -C $(BUILD)-asan --print-errorlogs --suite unit

# Suites against Linux itself, and docs/conformance.md: SUITES="guest posix", JOBS=2, ARGS=--fresh.
conform: all
	python3 tests/conform/conform.py --build $(BUILD) $(if $(SUITES),--suites "$(SUITES)") \
	    $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

lint: all
	meson test -C $(BUILD) --print-errorlogs --suite lint

fuzz:
	test -f $(BUILD)-fuzz/build.ninja || \
	    CC=clang meson setup $(BUILD)-fuzz -Db_sanitize=address,undefined -Db_lundef=false
	meson test -C $(BUILD)-fuzz --print-errorlogs --suite fuzz

install: all
	meson install -C $(BUILD)

clean:
	test ! -f $(BUILD)/build.ninja || ninja -C $(BUILD) clean
	rm -rf $(BUILD)-asan $(BUILD)-fuzz
