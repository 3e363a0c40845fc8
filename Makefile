# make run, make test: on a fresh machine with Python 3.11 or newer.
# make lock: writes requirements.lock from pyproject.toml; what it pins already keeps its version.
# make slurm: a Slurm to try; make slurm ACCOUNTING=1: another one, with a database.
PYTHON ?= python3
GRID ?= task4
PY = .venv/bin/python
SLURM_PACKAGES = slurmctld slurmd slurm-client munge $(if $(ACCOUNTING),slurmdbd mariadb-server)
SLURM_PROGRAMS = slurmctld slurmd munged sbatch $(if $(ACCOUNTING),slurmdbd mariadbd)
export ACCOUNTING

.PHONY: run test test-fast check format lock slurm slurm-packages slurm-down .venv

# Submits, and waits for the jobs. Exit code 1 of submit.py means that a case failed: the table says
# which, so it is still shown.
run: .venv
	@$(PY) submit.py --grid $(GRID) --watch; status=$$?; \
	[ $$status -le 1 ] || exit $$status; \
	$(PY) collect.py --grid $(GRID) > tables.md; [ $$? -le 1 ] || exit 2; \
	cat tables.md; exit $$status

# COVERAGE=1 counts the lines that ran, too, and fails below the floor that pyproject.toml sets.
# Twice as many workers as cores of a small machine, since tests on Slurm mostly wait. As root, every
# worker starts private clusters when it needs them, where Slurm is installed, and stops them again.
test: .venv check
	$(PY) -m pytest -n 4 --dist loadgroup --no-loadscope-reorder \
	$(if $(COVERAGE),--cov --cov-report=term:skip-covered)

# Without the files that start ranks or jobs, draw pages or need Slurm: under two minutes.
test-fast: .venv
	$(PY) -m pytest -n 2 --dist loadgroup -m "not long" --ignore=tests/slurm

check: .venv
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: .venv
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.venv: .venv/installed

# torch last: what it needs but CUDA is there by then, and was checked against its hash.
.venv/installed: requirements.lock requirements-torch.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "error: $(PYTHON) is older than 3.11; use e.g. make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	@touch $@

lock: .venv
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --annotation-style=line \
	--custom-compile-command="make lock" --extra=test --group=torch --output-file=requirements.lock \
	pyproject.toml > /dev/null

slurm: slurm-packages
	@$(PYTHON) tests/cluster/cluster.py up

slurm-packages:
	@test "$$(id -u)" = 0 || { echo "error: make slurm installs packages and starts daemons, which needs root"; exit 2; }
	@(set -e; for p in $(SLURM_PROGRAMS); do command -v $$p; done) > /dev/null || \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SLURM_PACKAGES); }

slurm-down:
	@$(PYTHON) tests/cluster/cluster.py down
