"""Data flows one way: which module may import which, read from the source itself."""

import ast
import json
from collections import Counter
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("study", "predict", "mp", "jobs", "report")
ENTRY_POINTS = ("submit.py", "collect.py")
SOURCES = [
    *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))),
    *(ROOT / name for name in ENTRY_POINTS),
]
OURS = {*PACKAGES, "submit", "collect"}
ALLOWED = {
    "study": {"study"},
    "predict": {"predict", "study"},
    "mp": {"mp", "study"},
    "jobs": {"jobs", "predict", "study"},
    "report": {"predict", "report", "study"},
    "submit.py": {"jobs", "study"},
    "collect.py": {"report", "study"},
}
WORKER = ROOT / "jobs/worker/__main__.py"
INSPECTION = ROOT / "mp/inspection"  # says before a run what submit.py does

# Within a part, which other rooms a room (a folder or a file of the part) may import.
NUMBERS = {"wording", "data", "analysis"}
SHOWN = ("tables", "answers", "figures", "facts", "listings", "compare", "title", "method")
ENGINES = {"engine", "workload", "placement", "hardware", "timing"}
OF_EXECUTORS = {"executor", "job_log", "planned", "profile", "status", "worker"}
ROOMS: dict[str, dict[str, set[str]]] = {
    "study": {
        **{
            room: set()
            for room in ("balance", "first_contact", "models", "quoting", "schedules", "text")
        },
        "statistics": set(),
        "errors": {"text"},
        "paths": {"errors"},
        "commit": {"paths"},
        "processes": {"errors"},
        "outcome": {"errors", "quoting"},
        "case": {"models", "schedules"},
        "stages": {"case", "schedules"},
        "values": {"case", "errors", "models", "paths", "quoting", "schedules", "storage", "text"},
        "validation": {"case", "errors", "models", "quoting", "schedules", "stages", "text"}
        | {"values"},
        "calibration": {"case", "errors", "grids", "models", "schedules", "stages", "values"},
        "command_line": {"case", "errors", "models", "quoting", "schedules", "storage", "text"}
        | {"validation", "values"},
        "storage": {"case", "errors", "outcome", "quoting"},
        "results": {"case", "errors", "outcome", "schedules", "stages", "storage", "validation"}
        | {"statistics", "text"},
        "grids": {"case", "errors", "models", "paths", "quoting", "schedules", "storage"}
        | {"validation", "values"},
    },
    "predict": {
        "orders": set(),
        "memory": {"orders"},
        "simulation": {"orders"},
        "__main__": {"simulation"},
        "costs": {"memory", "orders", "simulation"},
        "steps": {"costs", "memory", "orders", "simulation"},
        "forecast": {"costs", "memory", "steps"},
    },
    "jobs": {
        **{room: set() for room in ("job_log", "lock", "rendezvous")},
        "worker": {"batch", "executors", "job_log", "status"},
        "batch": {"worker"},
        "profile": {"worker"},
        "profiles": {"executors", "profile"},
        "planned": {"profile"},
        "fit": {"planned", "profile"},
        "status": {"batch", "executor", "planned", "profile"},
        "executor": {"batch", "fit", "planned", "profile", "status"},
        "slurm": OF_EXECUTORS | {"batch", "fit", "lock", "terminal"},
        "local": OF_EXECUTORS,
        "executors": {"executor", "local", "profile", "slurm", "worker"},
        "plan": {"executor", "planned", "status"},
        "predictions": {"planned", "profile", "terminal"},
        "preview": {"order", "terminal"},
        "terminal": {"fit", "job_log", "planned", "profile", "status"},
        "order": {"executor", "executors", "fit", "plan", "planned", "predictions", "profile"}
        | {"status", "terminal"},
        "launch": {"executor", "fit", "lock", "order", "planned", "preview", "status", "terminal"},
        "monitor": {"executor", "executors", "profile", "profiles", "status", "terminal"},
        "submit_and_watch": {"executor", "launch", "lock", "monitor", "order", "status"}
        | {"terminal"},
    },
    "report": {
        "wording": set(),
        "options": set(),
        "data": {"wording"},
        "analysis": {"wording", "data"},
        "document": {"wording"},
        "formats": {"wording", "document"},
        **dict.fromkeys(SHOWN, NUMBERS | {"document"}),
        "settings": NUMBERS,
        "calibrations": NUMBERS | {"document"},
        "facts": NUMBERS | {"document", "settings"},
        "kind": NUMBERS | {"document", "tables", "answers", "figures"},
        "drawings": NUMBERS | {"document", "figures", "kind"},
        "kinds": NUMBERS | {"document", "tables", "answers", "drawings", "kind"},
        "sections": NUMBERS
        | {"document", "calibrations", "tables", "facts", "listings", "kind", "kinds"},
        "tidy": NUMBERS,
        "export": NUMBERS | {"tidy"},
        "make": NUMBERS | {"document", "sections", "facts", "title", "method", "kind"},
        "hand_in": NUMBERS | {"document", "make", "formats"},
    },
    "mp": {
        "placement": set(),
        "model": {"placement"},
        "homework": {"model"},
        "hardware": {"model"},
        "timing": {"hardware"},
        "rendezvous": set(),
        "launcher": {"rendezvous"},
        "sharing": set(),
        "activations": set(),
        "recompute": {"activations"},
        "weight_gradients": set(),
        "workload": {"activations", "model", "placement", "recompute", "sharing", "hardware"},
        "families": {"activations", "workload", "model", "hardware"},
        "profiling": {"activations", "recompute", "workload", "hardware", "timing"}
        | {"weight_gradients"},
        "engine": {"workload", "families", "profiling", "hardware", "timing"},
        "single": ENGINES | {"activations", "model", "families"},
        "distributed": ENGINES
        | {"activations", "families", "recompute", "sharing", "rendezvous", "launcher"}
        | {"weight_gradients"},
        "calibration": ENGINES
        | {"activations", "distributed", "families", "profiling", "weight_gradients"},
        "measure": {"engine", "hardware", "timing"},
        "correctness": {"activations", "engine", "workload", "placement", "hardware"},
        "benchmark": {"engine", "measure", "correctness", "profiling", "hardware", "timing"},
        "program": {"hardware"},
        "run": {"benchmark", "calibration", "engine", "hardware", "launcher", "rendezvous"}
        | {"single", "distributed", "timing"},
        "summary": set(),
        "inspection": {
            "activations",
            "correctness",
            "engine",
            "families",
            "hardware",
            "profiling",
            "single",
        }
        | {"workload"},
        "__main__": {"inspection", "run", "timing", "hardware", "launcher", "summary"},
    },
}

sources = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


@dataclass(frozen=True)
class Import:
    """One imported module or name, e.g. `torch.nn` for `from torch import nn`."""

    name: str
    alias: str | None
    inside_function: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def part_of(path):
    """The package or entry point that the module belongs to."""
    return path.relative_to(ROOT).parts[0]


def dotted_name(path):
    """The name that imports the module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path):
    """Every import of the module, also those inside of functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, functions) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, alias.asname) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide whose module it is"
            base = node.module
            names = [(f"{base}.{alias.name}", alias.asname) for alias in node.names]
        else:
            continue
        yield from (Import(name, alias, id(node) in inside) for name, alias in names)


def may_import(path):
    more = {"mp"} if path == WORKER else {"predict"} if path.parent == INSPECTION else set()
    return ALLOWED[part_of(path)] | more


@sources
def test_a_module_imports_only_what_its_part_may(path):
    found = {imported.top for imported in imports_of(path)} & OURS
    assert found <= may_import(path)


def modules_of(part):
    """The modules of a part, and the modules of this part that each imports, wherever it does."""
    paths = {dotted_name(path): path for path in SOURCES if part_of(path) == part}
    return {
        name: {n for i in imports_of(path) for n in (i.name, i.name.rpartition(".")[0])} & {*paths}
        for name, path in paths.items()
    }


@pytest.mark.parametrize("part", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(part):
    for name, imported in modules_of(part).items():
        room, *others = [n.removeprefix(f"{part}.").partition(".")[0] for n in (name, *imported)]
        if name != part:
            assert {*others} - {room, part} <= ROOMS[part][room], name


@pytest.mark.parametrize("part", PACKAGES)
def test_no_module_imports_one_that_imports_it(part):
    TopologicalSorter(modules_of(part)).prepare()


def test_only_one_room_of_the_benchmark_knows_both_engines():
    rooms = ROOMS["mp"]
    assert "distributed" not in rooms["single"]
    assert "single" not in rooms["distributed"]
    assert [room for room, below in rooms.items() if {"single", "distributed"} <= below] == ["run"]


def test_what_only_starts_ranks_imports_no_torch(run):
    code = "import mp.__main__, sys; print('torch' in sys.modules)"
    done = run("-c", code)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_the_worker_imports_the_benchmark_only_once_it_runs():
    found = [imported for imported in imports_of(WORKER) if imported.top == "mp"]
    assert found
    assert all(imported.inside_function for imported in found)


@sources
def test_only_the_benchmark_imports_torch(path):
    assert part_of(path) == "mp" or "torch" not in {i.top for i in imports_of(path)}


@pytest.mark.parametrize("package", ["study", "predict", "report", "mp"])
def test_only_jobs_know_submitit(package):
    paths = (ROOT / package).rglob("*.py")
    assert "submitit" not in {i.top for path in paths for i in imports_of(path)}


@sources
def test_nothing_reads_a_pickle(path):
    assert not {"pickle", "cloudpickle", "joblib"} & {i.top for i in imports_of(path)}


@sources
def test_nothing_is_called_mp_but_our_benchmark(path):
    called_mp = {i.name for i in imports_of(path) if (i.alias or i.name.split(".")[-1]) == "mp"}
    assert called_mp <= {"mp"}


@sources
def test_every_module_opens_with_a_docstring(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_module_is_named_for_having_no_name():
    names = {path.stem for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]}
    assert "case" in names
    assert not names & {"utils", "helpers", "common"}


def test_what_a_login_node_loads_needs_no_torch(run):
    modules = [dotted_name(path) for path in SOURCES if part_of(path) != "mp"]
    code = (
        "import sys, importlib, json; sys.modules['torch'] = None\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert {"jobs.worker.__main__", "report.answers.memory"} <= set(json.loads(done.stdout))


def test_showing_results_loads_numpy_and_scipy_only_where_something_is_compared(run):
    code = "import collect, sys; print(*({'numpy', 'scipy'} & set(sys.modules)))"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_benchmark_has_loaded_them_before_it_times_a_step(run):
    code = "import mp.timing.stopping, sys; print(*({'numpy', 'scipy.special'} & set(sys.modules)))"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["numpy", "scipy.special"]


# --- jobs: two executors behind one contract ---

BACKENDS = ("jobs.slurm", "jobs.local")
JOBS = [path for path in SOURCES if part_of(path) in ("jobs", "submit.py")]
in_jobs = pytest.mark.parametrize("path", JOBS, ids=lambda path: str(path.relative_to(ROOT)))


def backend_of(name):
    return next((backend for backend in BACKENDS if f"{name}.".startswith(f"{backend}.")), None)


@in_jobs
def test_only_executors_py_imports_both_backends(path):
    found = {backend_of(i.name) for i in imports_of(path)} - {None, backend_of(dotted_name(path))}
    assert not found or dotted_name(path) == "jobs.executors"


@in_jobs
def test_nothing_compares_the_name_of_an_executor(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    compared = [c for node in ast.walk(tree) if isinstance(node, ast.Compare)
                for c in ast.walk(node) if isinstance(c, ast.Constant)]  # fmt: skip
    assert not {"slurm", "local"} & {c.value for c in compared if isinstance(c.value, str)}


@pytest.mark.parametrize("part", PACKAGES)
def test_no_folder_is_a_heap_and_no_module_a_crumb(part):
    paths = [path for path in SOURCES if part_of(path) == part]
    folders = Counter(path.parent for path in paths)
    assert max(folders.values()) <= 15
    short = {path.name for path in paths if len(path.read_text().splitlines()) < 20}
    assert short <= {"__init__.py"}
