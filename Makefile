.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
# What makes .venv: another Python 3.11 or newer is taken with `make install PYTHON=python3.13`.
PYTHON ?= python3
UV_VERSION := 0.13.9
# Who answers: the small local model and endpoints always, Claude Code and Codex too where their commands are there. `make run EXTRAS=local` for less.
EXTRAS ?= local openai $(if $(shell command -v claude),claude) $(if $(shell command -v codex),codex)

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

run: .venv/.run-$(subst $() $(),-,$(strip $(EXTRAS))) ## install what is needed and start the gateway on 127.0.0.1:8741
	@$(MAKE) --silent page-if-possible || echo "Going on without a new web page."
	@test -s "$${SYGEN_HOME:-$$HOME/.sygen}/models/smollm2-135m-instruct-q4_1.gguf" || $(BIN)/sygen model install || \
		echo "Going on without the local model."
	@exec $(BIN)/sygen serve --host 127.0.0.1

install: .venv/.ready ## set up .venv for development, nothing else
	@echo "Ready. Next: make run"

check: .venv/.ready ## the fast checks: format, lint, types, import rules, and the quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 tests/docs tests/files tests/session tests/testing tests/test_config.py tests/test_architecture.py

# Three at a time even on two processors: the tests wait more than they compute.
test: system tests/node/.ready web check ## everything: the checks and all tests, the real agents included
	$(BIN)/pytest -n 3

page: sygen_bot/web/index.html ## build the web page that the gateway serves (needs Node 20.19 or newer)

web: .venv/.ready ## check the web client: types, lint, its tests against the real gateway (needs Node 20.19 or newer)
	@if $(HAS_NODE); then $(MAKE) --no-print-directory web-checks; else echo "The checks of the web client are skipped: $(NODE)"; fi

bench: .venv/.ready ## measure; writes benchmarks/results and docs/performance.md
	$(BIN)/python -m benchmarks all
	$(BIN)/python -m benchmarks report

# What the tests need from the system: a command and the Debian package that has it.
SYSTEM := openssl:openssl initdb:postgresql ffmpeg:ffmpeg chromium:chromium
system:
	@export PATH="$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')"; \
	missing=(); for pair in $(SYSTEM); do command -v $${pair%%:*} >/dev/null || missing+=($${pair##*:}); done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}"; \
	else echo "The tests need: $${missing[*]}. Install that, for example with: sudo apt-get install $${missing[*]}" >&2; exit 1; fi
	@if $(HAS_NODE); then exit 0; fi; \
	version="$$(apt-cache show --no-all-versions nodejs 2>/dev/null | sed -n 's/^Version: //p')"; \
	if [ "$$(id -u)" = 0 ] && dpkg --compare-versions "$${version:-0}" ge 20.19 2>/dev/null; then \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq npm; \
	else echo "$(NODE) Without it the page is not built, and what is about it is not tested."; fi

# The page is as old as its index.html. Without Node the gateway goes without a page, and says how to get it.
NODE := Node 20.19, 22.12 or newer is needed, with npm.
HAS_NODE := command -v npm >/dev/null && node web/scripts/check-node.mjs 2>/dev/null
sygen_bot/web/index.html: $(shell find web/index.html web/*.ts web/package.json web/src web/public -type f 2>/dev/null)
	@$(HAS_NODE) || { echo "$(NODE)" >&2; exit 1; }
	@$(MAKE) --silent web/node_modules/.package-lock.json
	@echo "Building the web page ..."
	@npm run --prefix web --silent build -- --logLevel error

web/node_modules/.package-lock.json: web/package-lock.json
	@echo "Installing what builds the web page ..."
	@npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error

page-if-possible:
	@if $(HAS_NODE); then $(MAKE) --silent page; fi

web-checks: web/node_modules/.package-lock.json
	npm --prefix web run check
	npm --prefix web run build
	npm --prefix web run size

# Agents that the tests talk to and that come from npm. Without npm those tests are skipped.
tests/node/.ready: tests/node/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else echo "npm is not there: the tests with Gemini CLI are skipped."; fi
	@touch $@

.venv/bin/uv:
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "Python 3.11 or newer with venv is needed, on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ rm -rf .venv; echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version)." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: pyproject.toml uv.lock | .venv/bin/uv
	$(BIN)/uv sync --frozen --quiet --all-extras
	@touch $@

.venv/.run-%: pyproject.toml uv.lock | .venv/bin/uv
	@echo "Installing Sygen ($(strip $(EXTRAS))) ..."
	@$(BIN)/uv sync --frozen --quiet --inexact --no-dev $(addprefix --extra ,$(EXTRAS))
	@touch $@

.PHONY: help run install check test page web bench system page-if-possible web-checks
