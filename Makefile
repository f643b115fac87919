.PHONY: demo test lint bench docs lock clean

demo: ## from an Excel form to verified cards, in under a minute once set up
	@scripts/setup.sh demo
	@.venv/bin/membercard demo

test: ## the whole suite, real PC/SC slots and PostgreSQL included
	@scripts/setup.sh test
	@scripts/test.sh

lint:
	@scripts/setup.sh test
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

bench: ## the figures of docs/figures.md, as ratios measured in one run
	@scripts/setup.sh test
	.venv/bin/python -m benchmarks

docs: ## these pages as a searchable site in docs/_build/html; every link is checked
	@scripts/setup.sh docs
	.venv/bin/python -m scripts.api_reference docs/api-reference.md
	.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto docs docs/_build/html

lock:
	scripts/lock.sh

clean:
	rm -rf .venv .venv-emvtool build dist demo-out docs/_build docs/api-reference.md *.egg-info
