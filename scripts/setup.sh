#!/usr/bin/env bash
# Sets up this clone: system packages (Debian, Ubuntu), .venv, locked dependencies. Says nothing when all is there.
# usage: scripts/setup.sh demo|test|docs
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '%s\n' "$*" >&2; }
die() { say "setup: $*"; exit 1; }

what=${1:?usage: scripts/setup.sh demo|test|docs}
packages=(pcscd vsmartcard-vpcd libpcsclite-dev swig gcc)
[ "$what" = test ] && packages+=(opensc pcsc-tools postgresql sqlite3 chromium fonts-noto-cjk)

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate; break
    fi
  done
fi
[ -n "$python" ] || packages+=(python3)
# Debian splits venv and the headers off; a Python of one's own has both.
if ! "${python:-false}" -c 'import ensurepip, pathlib, sysconfig, sys
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' 2>/dev/null; then
  packages+=(python3-venv python3-dev)
fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
install_packages() {
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
  "${apt[@]}" update -qq && "${apt[@]}" install -y -qq --no-install-recommends "$@"
}
missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "this machine has no apt-get; install the equivalents of: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || { command -v sudo >/dev/null && [ -t 0 ]; } ||
      die "these packages are missing: ${missing[*]}
Install them with:  apt-get install ${missing[*]}   (as root), then run the same command again."
  fi
  say "setup: installing ${missing[*]}"
  log=$(mktemp)
  install_packages "${missing[@]}" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; die "apt-get failed; what it said last is above"; }
  rm -f "$log"
fi
python=${python:-python3}

# quietly COMMAND...: what it prints is seen only when it fails.
quietly() {
  local log; log=$(mktemp)
  "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; die "pip failed; what it said last is above"; }
  rm -f "$log"
}
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

lock=requirements/run.txt
[ "$what" = test ] && lock=requirements/dev.txt
[ "$what" = docs ] && lock=requirements/docs.txt
stamp=.venv/.set-up-$what
want=$(cat requirements/build.txt "$lock" pyproject.toml | sha256sum; pwd)
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  # Without a window the pages take half the time. Not every distribution has it, and Chromium itself will do.
  shell=chromium-headless-shell
  if [ "$what" = test ] && ! installed $shell && { [ ${#root[@]} -eq 0 ] || sudo -n true 2>/dev/null; }; then
    install_packages $shell >/dev/null 2>&1 || true
  fi
  say "setup: building .venv from $lock (once; a minute or two)"
  # A clone that was moved keeps programs that point to where it was.
  grep -qsF "$PWD/.venv" .venv/pyvenv.cfg && [ -x .venv/bin/python ] || "$python" -m venv --clear .venv
  quietly pip install --require-hashes -r requirements/build.txt
  quietly pip install --require-hashes -r "$lock"
  quietly pip install --no-deps --no-build-isolation --editable .
  .venv/bin/python -m personalize.sheets.common_font
  printf '%s\n' "$want" >"$stamp"
fi

# A terminal from elsewhere that the tests put cards before. It wants older libraries than ours, and so lives apart.
[ "$what" = test ] || exit 0
stamp=.venv-emvtool/.set-up
want=$(cat requirements/build.txt requirements/emvtool.txt | sha256sum; pwd)
[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit 0
.venv/bin/python -m venv --without-pip --clear .venv-emvtool
quietly pip --python .venv-emvtool install --require-hashes -r requirements/build.txt
quietly pip --python .venv-emvtool install --no-deps --no-build-isolation --require-hashes -r requirements/emvtool.txt
printf '%s\n' "$want" >"$stamp"
