"""An entry point that this Python cannot run says in one line what to run instead."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.first_contact import PACKAGES
from study.paths import ROOT
from tests.test_imports import OURS, SOURCES, imports_of

# A job's worker has a check of its own, jobs/worker/needs.py.
ENTRY_POINTS = (
    *(("submit.py", "--help"), ("collect.py", "--help")),
    *(("-m", "mp", "--help"), ("-m", "predict", "--help")),
)
FILES = ("submit.py", "collect.py", "mp/__main__.py", "predict/__main__.py")
LOADED_BEFORE = (
    "study/first_contact.py",
    "study/__init__.py",
    "mp/__init__.py",
    "predict/__init__.py",
    "jobs/__init__.py",
)
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
entry_points = pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: " ".join(entry))


def old_pythons():
    """The Pythons of this machine that are older than ours may be, one of each version."""
    found = {}
    on_path = (shutil.which(f"python3.{n}") for n in range(6, 11))
    for python in [*filter(None, on_path), *PYENV.glob("versions/3.*/bin/python3")]:
        code = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
        version = tuple(map(int, done.stdout.split()))
        if (3, 0) < version < (3, 11):
            found[version] = str(python)
    return found


@pytest.fixture
def checkout(tmp_path):
    """A checkout in which nobody has run make yet."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("jobs", "mp", "predict", "report", "study", "grids"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("submit.py", "collect.py", "cluster.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def without_packages(folder, *arguments, python=(sys.executable, "-S"), cwd=None):
    """What this Python, which finds no package, says; and its exit code."""
    done = subprocess.run(
        [*python, *arguments], cwd=cwd or folder, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@entry_points
def test_without_its_packages_an_entry_point_says_what_to_run(checkout, entry):
    code, said = without_packages(checkout, *entry)
    missing = said.removeprefix("error: ").partition(" ")[0]
    assert code == 2
    assert missing in PACKAGES
    assert said == (
        f"error: {missing} is missing from this Python ({sys.executable}): "
        'run "make .venv", then "source .venv/bin/activate"\n'
    )


def test_an_environment_that_was_made_need_only_be_activated(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "installed").touch()
    _, said = without_packages(checkout, "submit.py")
    assert said.endswith(': run "source .venv/bin/activate"\n')


def test_an_environment_that_lacks_something_is_made_again(checkout):
    shutil.copytree(ROOT / "study", checkout / "study", dirs_exist_ok=True)
    code = f"import sys; sys.prefix = {str(checkout / '.venv')!r}; import submit"
    _, said = without_packages(checkout, "-c", code)
    assert said.endswith(': run "make -B .venv"\n')


def test_from_another_folder_the_commands_name_the_checkout(checkout, tmp_path):
    _, said = without_packages(checkout, checkout / "collect.py", cwd=tmp_path)
    activate = f"source {checkout}/.venv/bin/activate"
    assert said.endswith(f': run "make -C {checkout} .venv", then "{activate}"\n')


@pytest.mark.parametrize("file", [*FILES, *LOADED_BEFORE])
def test_what_runs_before_the_check_can_be_read_by_old_pythons(file):
    ast.parse((ROOT / file).read_text(), feature_version=(3, 7))


@entry_points
def test_a_python_that_is_too_old_is_named(checkout, entry):
    olds = old_pythons()
    if not olds:
        pytest.skip("no older Python is installed")
    for (_, minor), python in olds.items():
        code, said = without_packages(checkout, *entry, python=[python])
        assert code == 2
        assert re.fullmatch(
            rf".*: Python 3\.{minor}\.\d+ \(.*\) is older than 3\.11: run "
            r'"make \.venv PYTHON=python3\.11" \(or a newer one\), then '
            r'"source \.venv/bin/activate"\n',
            said,
        )


PRETENDING = """
import runpy, sys
class Finder:
    def find_spec(name, path, target=None):
        if name == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Finder)
sys.argv = [{file!r}, *sys.argv[1:]]
runpy.run_path({file!r}, run_name="__main__")
"""


def pretending(package, file):
    """Code that runs the entry point as if the package were not there."""
    return PRETENDING.format(package=package, file=file)


@pytest.mark.parametrize("package", ["matplotlib", "typst"])
def test_what_only_a_report_needs_is_missed_when_one_is_asked_for(run, tmp_path, package):
    code = pretending(package, "collect.py")
    given = ("--results", "docs/example/results", "--grid", "task4")
    assert run("-c", code, *given).returncode == 0
    done = run("-c", code, *given, "--report", tmp_path / "report.pdf")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {package} is missing from this Python (")
    assert done.stderr.count("\n") == 1


def test_a_module_of_ours_that_cannot_be_imported_stays_a_traceback(checkout, run):
    (checkout / "jobs" / "plan.py").write_text("import no_such_package\n")
    done = run(checkout / "submit.py", "--help")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'no_such_package'" in done.stderr
    (checkout / "jobs" / "plan.py").write_text("from study.nothing import nothing\n")
    assert "No module named 'study.nothing'" in run(checkout / "submit.py", "--help").stderr


def test_the_packages_are_all_that_our_modules_import():
    tops = {imported.top for path in SOURCES for imported in imports_of(path)}
    assert tops - set(sys.stdlib_module_names) - OURS == set(PACKAGES)


def on_another_system(system, *entry):
    """What an entry point says where Python says that it runs on this system."""
    how = "run_module('mp', alter_sys=True" if entry[0] == "-m" else f"run_path({entry[0]!r}"
    code = (
        f"import runpy, sys; sys.platform = {system!r}; sys.argv = ['it', '--help'];"
        f"runpy.{how}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(("system", "name"), [("darwin", "macOS"), ("win32", "Windows")])
@pytest.mark.parametrize("entry", [("submit.py",), ("-m", "mp")], ids=" ".join)
def test_what_measures_says_that_it_needs_linux(entry, system, name):
    done = on_another_system(system, *entry)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: mpbench needs Linux to measure, and this is {name}; ")
    assert done.stderr.count("\n") == 1


def test_tables_can_be_made_on_macos():
    done = on_another_system("darwin", "collect.py")
    assert (done.returncode, done.stderr) == (0, "")
