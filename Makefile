# Everything on a fresh machine with Python 3.11 or newer: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo run test bench pictures lint audit clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.product
	$(BIN)/python manage.py demo

run: $(VENV)/.product .env
	$(BIN)/python manage.py run

.env:
	cp .env.example .env
	@echo "Made .env for a developer's machine; README.md says what belongs there in production."

# On PostgreSQL: the embedded one, or the server of DATABASE_URL.
test: $(VENV)/.developer
	$(BIN)/pytest --numprocesses auto --dist worksteal

bench: $(VENV)/.developer
	$(BIN)/python -m bench

# Every page, wide and on a phone, light and dark, as docs/pictures/*.webp; some minutes.
pictures: $(VENV)/.developer
	$(BIN)/python -m tests.e2e.pictures

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	DEBUG=true $(BIN)/mypy
	DEBUG=true $(BIN)/python manage.py makemigrations --check --dry-run

# Known vulnerabilities of the packages; says so loudly when it cannot ask.
audit: $(VENV)/.developer
	$(BIN)/python .ci/audit.py

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Project88 needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.product: $(VENV)/.python requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.developer: $(VENV)/.product requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
