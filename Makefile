# SPDX-License-Identifier: ISC
# The short names of everything; the work is done by Meson, Ninja and tools/.

DESTDIR ?=
prefix ?= /usr/local
FUZZ_SECONDS ?= 60
SIM_SCHEDULES ?= 100000

.DEFAULT_GOAL := build
.PHONY: help build run check asan tsan fuzz sim bench bench-db drills tidy screenshots install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build into build/, executables in build/bin
	@tools/deps build
	@tools/build plain

run: ## install what is missing, build, and start stayd on PORT=8080 with its data in ./var
	@tools/deps build
	@tools/build plain
	@tools/run

check: ## run every test; ends with "N passed, N failed"
	@tools/check

asan: ## build with AddressSanitizer and UBSan into build-asan/
	@tools/deps check
	@tools/build asan

tsan: ## build with ThreadSanitizer into build-tsan/ and run the unit tests under it
	@tools/deps check
	@tools/check tsan

fuzz: ## run every fuzz target, FUZZ_SECONDS=60 each
	@tools/deps check
	@tools/check --fuzz-seconds $(FUZZ_SECONDS) fuzz

sim: ## run the simulator over SIM_SCHEDULES=100000 schedules
	@tools/deps check
	@tools/check --schedules $(SIM_SCHEDULES) sim

bench: ## measure, each figure beside its reference; writes build/bench.json
	@tools/deps bench
	@tools/build plain
	@bench/run

bench-db: ## measure on a real PostgreSQL; writes build/bench-db.json
	@tools/deps bench
	@tools/build plain
	@bench/run-db

drills: ## replay the outages in all variations; takes hours, can be stopped and goes on; writes build/drills.json
	@tools/deps bench
	@tools/build faults
	@tools/drills

tidy: ## format, banned functions, include rules of the rooms, paths in the docs
	@tools/tidy

screenshots: ## photograph the pages with example data into docs/pictures/
	@tools/deps check
	@tools/build plain
	@node tools/screenshots.mjs >/dev/null

install: ## install below DESTDIR, with prefix=/usr/local
	@tools/deps build
	@tools/build plain
	@meson configure build -Dprefix=$(prefix)
	@DESTDIR=$(DESTDIR) meson install -C build

clean: ## remove what was built; ./var stays
	rm -rf build build-check build-faults build-asan build-tsan build-fuzz tests/node_modules
