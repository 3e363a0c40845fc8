"""A pickle can hold a command: nothing that we read is unpickled, or run as code."""

import ast
import json
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE_S, ROOT
from tests.mp.test_schedules import run_ranks
from tests.test_imports import SOURCES, imports_of

pytestmark = pytest.mark.long

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    "all_gather_object", "gather_object", "broadcast_object_list", "scatter_object_list",
    "send_object_list", "recv_object_list", "unsafe_load", "full_load", "read_pickle", "to_pickle",
}  # fmt: skip
# A model of one's own is code, and runs where its job does: docs/models.md, "Security".
OF_USERS = ROOT / "mp/families/loading.py"
LOADS = {"torch", "numpy", "np", "pickle", "marshal", "joblib"}  # whose `load` may run code


def dangers(path):
    """What the module imports or names that unpickles or runs what it is given."""
    found = {imported.top for imported in imports_of(path)} & MODULES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and node.id in CALLS | BUILTINS:
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            of = node.value.id
            if node.attr in CALLS or (node.attr == "load" and of in LOADS):
                found.add(f"{of}.{node.attr}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_unpickles_or_runs_what_it_reads(path):
    allowed = {"compile", "exec"} if path == OF_USERS else set()
    assert dangers(path) == allowed


def test_what_unpickles_is_recognised(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("import pickle\ndist.all_gather_object(a, b)\ntorch.load(c)\neval(d)\n")
    assert dangers(module) == {"pickle", "dist.all_gather_object", "torch.load", "eval"}


def test_no_schedule_lets_torch_unpickle_anything():
    """Each runs one step; what torch learns of shapes before it counts as well."""
    lines = run_ranks("pickle_free", [2])
    assert {line.split()[1] for line in lines} == {
        "gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv", "tensor", "ddp",
        "fsdp",
    }  # fmt: skip
    assert all(line.endswith(": equal") for line in lines)


def test_no_rank_unpickles_anything_from_its_start_to_its_result(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, runpy, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "if 'RANK' in os.environ:\n"
        "    from tests.mp.without_pickles import forbid_pickles\n"
        "    forbid_pickles()\n"
        "runpy.run_module('mp', run_name='__main__', alter_sys=True)\n"
    )
    keys = "--gpus 2 --depth 4 --dim 8 --batch-size 8 --warmup-steps 0 --steps 3 --micro-batches 4"
    done = subprocess.run(
        [sys.executable, str(script), *keys.split(), "--schedule", "zbv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    result = json.loads(done.stdout)
    assert (result["outcome"], result["error"]) == ("ok", None)
