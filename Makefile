# Every command of the project. `make` alone lists the targets; each comment after ## is its line.
#
# Needs Node >= 20.19, make and npm's registry; the epoll integration also Linux, a C++17 compiler
# and the headers of the node. Nothing here needs root, and nothing is installed outside this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

NODE ?= node
NPM ?= npm
BIN := node_modules/.bin
INSTALLED := node_modules/.package-lock.json

SOURCES := $(shell find src integrations -name '*.ts' 2>/dev/null)
SOURCE_FOLDERS := $(shell find src integrations -type d 2>/dev/null)

ADDON := build/extpoll.node
ADDON_FOLDER := integrations/epoll-addon
ADDON_SOURCES := $(wildcard $(addprefix $(ADDON_FOLDER)/,*.cc *.h *.gyp *.mjs))

# In a syntax old enough for the oldest node to read it and say so.
REFUSE_OLD_NODE := var v = process.versions.node.split("."), old = v[0] < 20 || (v[0] == 20 && v[1] < 19); \
	if (old) { console.log("extpoll needs Node >= 20.19; this is " + v.join(".")); process.exit(1) }

# The headers beside the running node; where it came without them, node-gyp's copy for its version.
FIND_HEADERS := var f = require("fs"), p = require("path"), o = require("os"), v = process.versions.node; \
	console.log([p.join(p.dirname(p.dirname(process.execPath)), "include", "node"), \
	p.join(process.env.XDG_CACHE_HOME || p.join(o.homedir(), ".cache"), \
	"node-gyp", v, "include", "node")] \
	.filter(function (d) { return f.existsSync(p.join(d, "node_api.h")) })[0] || "")

# One line that says what the addon lacks here; empty where it can be built.
ADDON_LACKS = if [ "$$(uname -s)" != Linux ]; then echo 'Linux'; \
	elif ! echo 'int main() { return 0; }' | $(CXX) -std=c++17 -fsyntax-only -x c++ - 2>/dev/null; \
	then echo 'a C++17 compiler (CXX=$(CXX) is none)'; \
	elif [ -z "$$($(NODE) -e '$(FIND_HEADERS)')" ]; then echo 'the headers of this node (`npx node-gyp install` fetches them)'; fi
WITHOUT_ADDON := the epoll integration is left out; everything else works

# One file alone: make test TESTS=test/20.handshake.test.ts, or node_modules/.bin/mocha and its name.
TESTS ?=

# Those that measure time or take the whole machine run by themselves, after the others.
ALONE := $(wildcard test/4[01].*.test.ts test/6[24].*.test.ts test/66.client-epoll.test.ts test/91.*.test.ts)
# Those that take longest begin, so that none of them runs on when the others are done.
LONGEST := $(wildcard $(addprefix test/,70.* 80.cli.* 85.interop.* 68.abuse.* 63.service.* \
	65.* 81.workers.* 60.epoll-addon.* 66.foreign-* 44.*))
TOGETHER := $(LONGEST) $(filter-out $(LONGEST) $(ALONE),$(wildcard test/*.test.ts))

# In CI nothing may be left out: a skipped test fails, and so does a forgotten `.only`.
MOCHA_FLAGS := $(if $(filter true 1,$(CI)),--forbid-pending --forbid-only)

.PHONY: help build addon addon-if-possible test test-matrix sanitize pack test-package tidy \
	format demo shots bench bench-files sim sim-nightly sim-bench sim-determinism mutants clean \
	check-node

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check-node:
	@command -v $(NODE) >/dev/null || { echo 'extpoll needs Node >= 20.19; there is no node here'; exit 1; }
	@$(NODE) -e '$(REFUSE_OLD_NODE)'

$(INSTALLED): package-lock.json | check-node
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

build: dist/.built ## compile TypeScript to dist/ (installs node_modules first, where needed)

# Built beside and moved over, so that a failed build leaves the last good one.
dist/.built: $(SOURCES) $(SOURCE_FOLDERS) tsconfig.json package.json $(INSTALLED) | check-node
	@rm -rf dist.new
	$(BIN)/tsc --outDir dist.new || { rm -rf dist.new; exit 1; }
	@for cli in dist.new/integrations/cli/*.js; do if [ -e "$$cli" ]; then chmod +x "$$cli"; fi; done
	@touch dist.new/.built
	@rm -rf dist && mv dist.new dist

addon: $(INSTALLED) ## compile the C++ of the epoll integration to build/extpoll.node (Linux)
	@lacks="$$($(ADDON_LACKS))"; if [ -n "$$lacks" ]; then \
		echo "missing: $$lacks; $(WITHOUT_ADDON)"; exit 1; fi
	@$(MAKE) --no-print-directory $(ADDON)

addon-if-possible: $(INSTALLED)
	@lacks="$$($(ADDON_LACKS))"; if [ -n "$$lacks" ]; then \
		echo "missing: $$lacks; $(WITHOUT_ADDON)"; test -z '$(MOCHA_FLAGS)'; \
		else $(MAKE) --no-print-directory $(ADDON); fi

$(ADDON): $(ADDON_SOURCES)
	@CXX='$(CXX)' CXXFLAGS='$(CXXFLAGS)' $(NODE) $(ADDON_FOLDER)/build.mjs

test: build addon-if-possible ## run every test (no root; says what it leaves out)
	@if [ -n "$(TESTS)" ]; then exec $(BIN)/mocha $(MOCHA_FLAGS) $(TESTS); fi; \
	$(BIN)/mocha $(MOCHA_FLAGS) --parallel --jobs 3 $(TOGETHER); status=$$?; \
	$(BIN)/mocha $(MOCHA_FLAGS) $(ALONE) && exit $$status

sanitize: build addon ## run the tests of the epoll integration with AddressSanitizer and UBSan
	$(NODE) test/sanitize.mjs $(ARGS)

test-matrix: build addon ## run what depends on the node on 22, 24 and 26 as well (fetched by npm)
	$(NODE) test/matrix.mjs

pack: build addon ## make the package's file, extpoll-VERSION.tgz, with the compiled addon in it
	$(NODE) $(ADDON_FOLDER)/prebuild.mjs
	$(NPM) pack --silent --ignore-scripts

test-package: pack ## install that file as an ES module and as CommonJS, and look at its types
	$(NODE) test/package.mjs extpoll-$$($(NODE) -p 'require("./package.json").version').tgz

tidy: build ## lint, formatting, types, and the rules of the tree
	$(BIN)/eslint .
	$(BIN)/prettier --check --log-level warn .
	$(BIN)/tsc --noEmit -p tsconfig.test.json
	$(BIN)/mocha $(MOCHA_FLAGS) test/00.tidy.test.ts

format: $(INSTALLED) ## rewrite the formatting of every file
	$(BIN)/prettier --write --log-level warn .

demo: build addon ## a chat and its poll set on 127.0.0.1:8080 (PORT=9000 make demo ARGS='--host NAME')
	@exec $(NODE) --import tsx examples/nginx-like/main.ts $(ARGS)

shots: build addon ## photograph the demo's page in Chromium, to test/.out/shots
	$(BIN)/mocha test/shots.ts

bench: build addon ## what server and client spend, beside bare C and ws: a table and .bench/chart.svg
	$(NODE) test/bench/run.mjs $(ARGS)
	$(if $(filter-out --smoke --check,$(ARGS)),,$(NODE) test/bench/client.mjs $(ARGS))

bench-files: build addon ## CPU per request for files of 1 KiB and 1 MiB, beside nginx and Node's http
	$(NODE) test/bench/files.mjs $(ARGS)

sim: build ## one seed, or many, of the simulator (SEED=7, SEEDS=1000, ARGS='--faults all')
	$(NODE) dist/integrations/cli/extpoll.js sim $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000)) $(ARGS)

sim-nightly: build ## 20,000 seeds, and the gate: every kind of fault must act
	$(NODE) dist/integrations/cli/extpoll.js sim --scenario mixed --seeds $(or $(SEEDS),20000) \
		--gate yes $(ARGS)

mutants: $(INSTALLED) ## mistakes put into copies of the sources, and how soon the swarm finds each
	$(NODE) --import tsx test/mutants/run.ts $(ARGS)

sim-determinism: build ## each seed twice, and in two processes: the same digest (SEEDS=3000)
	$(NODE) test/determinism.mjs $(if $(SEEDS),--seeds $(SEEDS))

sim-bench: build ## how fast simulated worlds are, beside ws: a table (ARGS='--rows swarm')
	$(NODE) test/bench/sim.mjs $(ARGS)

clean: ## remove what was built, not node_modules
	rm -rf prebuilds dist dist.new build coverage .bench test/.out
