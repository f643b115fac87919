#!/usr/bin/env bash
# Lint, types, import contracts, then every test. In CI a skipped test fails the run (tests/conftest.py).
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --check --quiet .
.venv/bin/mypy
.venv/bin/lint-imports
# Hundreds of commands are started: without byte code each of them would compile the whole program again.
unset PYTHONDONTWRITEBYTECODE
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
slots=$(mktemp)
trap 'kill "$beside" 2>/dev/null || true; rm -f "$slots"' EXIT
# Only one PC/SC service lives on a machine: its tests take turns in one process. They mostly wait, so they run beside the
# others, which look for that service where there is none. A shell has what it starts beside itself ignore Ctrl-C, which
# some of these tests send.
env --default-signal=INT .venv/bin/python -m pytest -m pcsc >"$slots" 2>&1 &
beside=$!
failed=0
# A file's tests stay in one process, which makes their fixtures once; files are given out in the order of collection.
PCSCLITE_CSOCK_NAME=/nowhere/pcscd.comm \
  .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not pcsc" || failed=$?
# What the service asks of the record, once more on the other database.
MEMBERCARD_TEST_DATABASE=postgresql .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder \
  tests/unit/reader_service/{access,services} \
  tests/unit/reader_service/{http/test_writes,api/test_{batches,readers,rosters,docs_api}}.py ||
  failed=$?
wait "$beside" || failed=$?
cat "$slots"
exit "$failed"
