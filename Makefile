.PHONY: demo test lint bench lock clean

demo: ## from an Excel form to verified cards, in under a minute once set up
	@scripts/setup.sh demo
	@.venv/bin/membercard demo

test: ## the whole suite, real PC/SC slots and PostgreSQL included
	@scripts/setup.sh test
	@scripts/test.sh

lint:
	@scripts/setup.sh test
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

bench: ## the figures of the README, as ratios measured in one run
	@scripts/setup.sh test
	.venv/bin/python -m benchmarks

lock:
	scripts/lock.sh

clean:
	rm -rf .venv .venv-emvtool build dist demo-out *.egg-info
