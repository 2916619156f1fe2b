# Two commands need nothing installed by hand: `make serve` and `make test`.
# Every target but `serve` and `clean` is a task of tasks.py; `make tasks` lists them all.
PYTHON = $(shell for p in python3 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP = .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --editable

serve: .venv/serve.stamp
	@exec .venv/bin/waterbutler serve
test lint types floors docs unit servers bench fuzz settings-docs performance-docs changelog build: .venv/develop.stamp
	@exec .venv/bin/python -m invoke $@
tasks: .venv/develop.stamp
	@exec .venv/bin/python -m invoke --list
clean:
	rm -rf .venv .*_cache .coverage* .hypothesis .schemathesis *.egg-info build dist docs/_build

.venv/serve.stamp: setup.py .venv/bin/python
	@echo "Installing WaterButler into .venv ..." && $(PIP) '.[thumbnails]' && touch $@
.venv/develop.stamp: setup.py .venv/bin/python
	@echo "Installing WaterButler and its developer tools into .venv ..." && $(PIP) '.[dev]' && touch $@
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "WaterButler needs Python 3.11 or newer; on Debian: apt-get install python3-venv; on macOS: brew install python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.PHONY: serve test lint types floors docs unit servers bench fuzz settings-docs performance-docs changelog build tasks clean
