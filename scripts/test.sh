#!/usr/bin/env bash
# Lint, types, import contracts, then every test. In CI a skipped test fails the run (tests/conftest.py).
# usage: scripts/test.sh [lint|check|thorough]   lint: no tests; check: with the unit tests; thorough: every property at length
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
lint() {
  .venv/bin/ruff check --quiet . && .venv/bin/ruff format --check --quiet . && .venv/bin/mypy && .venv/bin/lint-imports
}
[ "$what" = lint ] && { lint; exit; }

# Hundreds of commands are started: without byte code each of them would compile the whole program again.
unset PYTHONDONTWRITEBYTECODE
# A registry waits for the disk after every line it writes; files in memory need no waiting.
if [ "$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -n 1)" -gt 4096 ] 2>/dev/null; then
  TMPDIR=$(mktemp -d /dev/shm/membercard-tests-XXXXXX)
else
  TMPDIR=$(mktemp -d)
fi
chmod 711 "$TMPDIR" # some tests look on as nobody
export TMPDIR
# What runs is interrupted, ends its own processes and removes its own files; only then go the others.
leave() {
  trap '' INT HUP TERM
  jobs -pr | xargs --no-run-if-empty kill 2>/dev/null || true
  wait
  rm -rf "$TMPDIR"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 129' HUP
trap 'exit 143' TERM
failed=0
# Linters use one processor each, so the tests begin at once; what a linter says comes at the end.
lint >"$TMPDIR/lint.log" 2>&1 &
linting=$!
end() {
  wait "$linting" || failed=$?
  cat "$TMPDIR/lint.log"
  exit "$failed"
}

# A file's tests stay in one process, which makes their fixtures once; files are given out in the order of collection.
# Tests also wait, for processes, browsers and readers: two workers more than there are processors.
run() {
  PCSCLITE_CSOCK_NAME=/nowhere/pcscd.comm \
    .venv/bin/python -m pytest -n $(($(nproc) + 2)) --dist loadfile --no-loadscope-reorder "$@" &
  wait $! # a trap runs at once while this shell waits, and only after a command in the foreground
}
case $what in
  check) run -m "not pcsc and not slow and not postgres" tests/unit tests/architecture tests/vectors || failed=$?; end ;;
  thorough) options=(--hypothesis-profile=thorough -o timeout=0) ;;
  all) options=() ;;
  *) echo "usage: scripts/test.sh [lint|check|thorough]" >&2; exit 2 ;;
esac

# Only one PC/SC service lives on a machine: its tests take turns in one process. They mostly wait, so they run beside the
# others, which look for that service where there is none.
.venv/bin/python -m pytest -m pcsc "${options[@]}" tests/pcsc tests/cli >"$TMPDIR/pcsc.log" 2>&1 &
pcsc=$!
run -m "not pcsc" "${options[@]}" || failed=$?
wait "$pcsc" || failed=$?
cat "$TMPDIR/pcsc.log"
end
