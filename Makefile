.DEFAULT_GOAL := help
BIN := .venv/bin

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

install: .venv/.ready ## set up .venv with the locked dependencies

.venv/.ready: pyproject.toml uv.lock
	test -x $(BIN)/python || python3 -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv sync --frozen --quiet
	touch $@

check: install ## format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p sygen_bot
	$(BIN)/lint-imports

test: check ## everything
	$(BIN)/pytest

.PHONY: help install check test
