.PHONY: demo test check fast thorough lint format bench docs lock clean

demo: ## from an Excel form to cards that members use, in under a minute once set up
	@scripts/setup.sh demo
	@.venv/bin/membercard demo

test: ## the whole suite, real PC/SC slots and PostgreSQL included
	@scripts/setup.sh test
	@scripts/test.sh

check: ## lint, types, import contracts and unit tests: before every commit
	@scripts/setup.sh test
	@scripts/test.sh check

fast: ## the tests that the change since BASE (main) touches
	@scripts/setup.sh test
	@tests=$$(.venv/bin/python scripts/touched_tests.py $(BASE)) || exit 1; [ -z "$$tests" ] || \
	  .venv/bin/python -m pytest -q -n auto --dist loadfile -m "not pcsc and not slow" $$tests

thorough: ## the whole suite with every property at length: for the night
	@scripts/setup.sh test
	@scripts/test.sh thorough

lint: ## lint, types, import contracts
	@scripts/setup.sh test
	@scripts/test.sh lint

format: ## write the code as the linter wants it
	@scripts/setup.sh test
	@.venv/bin/ruff check --fix --quiet . && .venv/bin/ruff format --quiet .

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
