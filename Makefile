# Two commands make and check the book: `make book` and `make test`. Each sets up its own environment in .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help env book execute chapter smoke html offline test quick turn chapters lint types unit notebooks fresh site \
  bench gpu simulated killed release clean

BIN := .venv/bin
# One thread per process: at these matrix sizes a second one slows the work down.
export OMP_NUM_THREADS := 1
# A stage begins when the one before has ended, whatever -j or MAKEFLAGS say: pages are built of finished chapters.
.NOTPARALLEL:
# What a reader has set up for Python and its tools is not the book's: texts are UTF-8, assertions are asked.
export PYTHONUTF8 := 1
export DOCUTILSCONFIG :=
unexport MPLBACKEND PYTHONIOENCODING PYTHONOPTIMIZE PYTHONSTARTUP PYTHONWARNINGS PYTEST_ADDOPTS

help:
	@echo "make book                 environment, every chapter executed, HTML, PDF and archive in _build/html"
	@echo "make test                 all checks, in four stages, of which each is a command:"
	@echo "make quick                lint, types, unit tests"
	@echo "make turn                 three chapters at tiny size on a simulated second device, by turns"
	@echo "make chapters             notebooks re-executed and compared"
	@echo "make site                 book built, and checked in a browser"
	@echo "make html                 HTML from the committed notebooks"
	@echo "make offline              the same, and the whole book as one PDF and one archive of the pages"
	@echo "make chapter NAME=...     one chapter executed, its committed files replaced"
	@echo "make smoke                every chapter at tiny size, into _build/runs"
	@echo "make simulated            every chapter at tiny size on the simulated device, against the CPU"
	@echo "make bench                what the engines cost and how it grows: one table, and the page on performance"
	@echo "make gpu BUDGET=600       engines and chapters on a CUDA device, as long as the seconds last; the next call goes on"
	@echo "make killed               make book killed at 20 random moments, in a clone: hours"
	@echo "make release              archive of this commit: sources, results, pages to read offline, RO-Crate description"

# An update of the system may have taken away the interpreter that .venv was made with.
env: .venv/.ready
	@test -x $(BIN)/python || .ci/interpreter

# The newest supported interpreter, or PYTHON=...; of a .venv that is there already, its own.
.venv/.ready: requirements.txt pyproject.toml
	@python=$$(.ci/interpreter) && echo "$$python -m venv .venv" && "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

book: execute html offline

execute: env
	$(BIN)/offconvex execute

chapter: env
	@test -n "$(NAME)" || { echo "Which chapter? For example: make chapter NAME=parameterizations"; exit 2; }
	$(BIN)/offconvex execute $(NAME)

smoke: env
	$(BIN)/offconvex execute --profile smoke

html: env
	@grep -qs '^tags: .' _build/html/.buildinfo || rm -f _build/html/.buildinfo  # left half-written by a killed build
	$(BIN)/jupyter-book build . -W -n --keep-going --all --quiet
	@echo "The book: _build/html/index.html"

offline: env html
	$(BIN)/offconvex offline

test: quick turn chapters site
	@echo "All checks passed."

quick: lint types unit

chapters: notebooks fresh

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/book/lint_cells.py

# Shapes that annotations name are checked by the tests themselves: tests/shapes.py.
types: env
	$(BIN)/mypy

unit: env
	$(BIN)/python -m pytest -q -n 2 -m "not site and not browser and not fresh and not simulated" tests

# A device that is not the CPU, in its memory: tests/devices/. Whose turn it is, the number of commits decides.
simulated turn: env
	$(BIN)/python -m pytest -q -n 2 -m "simulated$(if $(filter turn,$@), and turn)" tests/devices

# Every committed notebook is executed again and its outputs compared; results go to _build/live.
notebooks: env
	rm -rf _build/live
	$(BIN)/python -m pytest -q -n 2 --dist loadscope --nbval --nbval-current-env \
	  --nbval-sanitize-with nbval_sanitize.cfg --nbval-cell-timeout 1800 book/chapters

# The claims and the arrays behind the figures of that execution against the committed ones.
fresh: env notebooks
	$(BIN)/python -m pytest -q -m fresh tests

site: env offline
	$(BIN)/python -m pytest -q -rs -m "site or browser" tests

bench: env
	$(BIN)/python benchmarks

# What is not measured yet. PYTHON=... is taken as it is, with no .venv: a machine with a card has its own torch, and
# perhaps no network.
gpu:
	@test -n "$(PYTHON)" || $(MAKE) --no-print-directory env || { echo "The pins cannot be installed here; name a Python \
	that has torch for CUDA, and the command will say what else it asks for: make gpu PYTHON=python3." >&2; exit 2; }
	PYTHONPATH=src $(or $(PYTHON),$(BIN)/python) -m offconvex.book.command_line gpu --budget $(or $(BUDGET),600) \
	  --jobs $(or $(JOBS),1)

# The same as tests/book/test_killed.py, with the whole book for the small one.
killed: env
	$(BIN)/python tests/book/killing.py --kills $(or $(KILLS),20)

release: env offline
	$(BIN)/offconvex release

clean:
	rm -rf _build
