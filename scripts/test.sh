#!/usr/bin/env bash
# Lint, types, import contracts, then every test. In CI a skipped test fails the run (tests/conftest.py).
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --check --quiet .
.venv/bin/mypy
.venv/bin/lint-imports
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
# Only one PC/SC service lives on a machine: its tests take turns in one process.
.venv/bin/python -m pytest -n auto -m "not pcsc"
.venv/bin/python -m pytest -m pcsc
