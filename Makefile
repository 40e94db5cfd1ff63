# `make serve` and `make test` do everything that is missing, and nothing that is not.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SOAKED := $(addprefix tests/test_,concurrency.py crashes.py failures.py malformed.py state_machine.py backups.py replays.py)
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

# What is compiled is kept: the suite starts many processes, and pytest compiles all of its modules for each worker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve setup test soak grade bench bench-scale simulate openapi fuzz lint bank-check bench-bank clean

serve: setup
	@exec $(BIN)/gunicorn

setup: .venv/installed
	@$(BIN)/flask --app app prepare

test: .venv/installed-dev
	@$(BIN)/pytest

# Minutes of faults and broken requests, and a table of what was counted.
soak: .venv/installed-dev
	@timeout 900 $(BIN)/pytest -n 2 --rounds=$(or $(ROUNDS),20) --malformed=$(or $(MALFORMED),100000) $(SOAKED) \
		--pictures tests/test_pages_browser.py::test_the_documents_pictures_are_those_of_this_test

grade: .venv/installed
	@$(BIN)/flask --app app grade "$(or $(CSV),benchmarks/graded_answers.csv)"

bench: .venv/installed-dev
	@$(BIN)/python -m benchmarks $(if $(DATABASES),--databases $(DATABASES))

bench-scale: .venv/installed-dev
	@$(BIN)/python -m benchmarks.growth $(if $(SIZES),--sizes $(SIZES)) $(if $(DATABASES),--databases $(DATABASES))

simulate: .venv/installed-dev
	@$(BIN)/python -m benchmarks.simulate $(if $(LEARNERS),--learners $(LEARNERS))

bench-bank: .venv/installed-dev
	@$(BIN)/python -m benchmarks.bank $(if $(DATABASES),--databases $(DATABASES))

openapi: .venv/installed-dev
	@$(BIN)/flask --app app openapi write docs/openapi.json

fuzz: .venv/installed-dev
	@$(BIN)/pytest -n 0 tests/test_contract.py -k fuzzer --cases-per-operation=$(or $(CASES),100)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

# The question bank's gates, on FILES or on all topics.
bank-check: .venv/installed-dev
	@$(BIN)/python -c 'from embeddings import make_ready; make_ready()'
	@$(BIN)/flask --app app questions check $(FILES)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with: make PYTHON=...")'
	@echo "Making .venv with $(PYTHON) ..."
	@$(PYTHON) -m venv .venv

.venv/installed: requirements.txt constraints.txt | .venv/bin/python
	@echo "Installing the service (some minutes on a first start: the model and its runtime are large) ..."
	@$(INSTALL) --requirement requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt constraints.txt | .venv/bin/python
	@echo "Installing the service and what its checks need ..."
	@$(INSTALL) --requirement requirements-dev.txt
	@touch $@ .venv/installed
