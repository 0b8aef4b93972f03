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
test: system tests/node/.ready check ## everything: the checks and all tests, the real agents included
	$(BIN)/pytest -n 3

web: .venv/.ready ## check what there is of the web client: types, lint, its tests against the real gateway (needs Node 20)
	npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error
	npm --prefix web run check
	npm --prefix web run build
	npm --prefix web run size

bench: .venv/.ready ## measure; writes benchmarks/results and docs/performance.md
	$(BIN)/python -m benchmarks all
	$(BIN)/python -m benchmarks report

# What the tests need from the system: a command and the Debian package that has it.
SYSTEM := openssl:openssl initdb:postgresql ffmpeg:ffmpeg
system:
	@export PATH="$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')"; \
	missing=(); for pair in $(SYSTEM); do command -v $${pair%%:*} >/dev/null || missing+=($${pair##*:}); done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}"; \
	else echo "The tests need: $${missing[*]}. Install that, for example with: sudo apt-get install $${missing[*]}" >&2; exit 1; fi

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

.PHONY: help run install check test web bench system
