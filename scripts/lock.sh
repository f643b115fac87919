#!/usr/bin/env bash
# Writes requirements/*.txt anew from pyproject.toml, with hashes, for every supported Python.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool" && "$tool/bin/pip" install --quiet uv
compile() { "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command scripts/lock.sh "$@"; }
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
compile pyproject.toml --group docs -c requirements/dev.txt -o requirements/docs.txt
printf 'pip\nsetuptools>=77\nwheel\n' | compile - -o requirements/build.txt
# A foreign terminal for the tests, in an environment of its own. It pins releases that have no wheels, and two packages
# that Python has had built in for ten years. Its old pyscard stays: what it calls is gone from newer ones.
printf '%s\n' pycountry terminaltables 'argparse; python_version < "3"' 'enum-compat; python_version < "3"' >"$tool/overrides"
printf 'emv\n' | compile - --override "$tool/overrides" --no-annotate -o requirements/emvtool.txt
