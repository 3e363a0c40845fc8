"""What a site sets for its jobs, on a real Slurm: where ranks meet, and the Python that runs them.

A wrapper around Python gives its process an /etc/hosts of its own, so that names that resolve for
everything else on this machine do not resolve there, be it in Python or in torch.
"""

import random
import re
import shlex
import socket
import sys
import sysconfig
import venv
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.rendezvous import ipv4_of
from jobs.worker.rank import VARIABLES
from tests.cluster.cluster import PLAIN
from tests.conftest import without
from tests.slurm.desk import QUICK, Desk, as_root, checkout, sitting_at, wait_until, worker_pids

pytestmark = as_root
GRID = """
table: schedules
axes: {depth: [2], gpus: [2], schedule: [%s]}
model: {dim: 16, batch_size: 4}
"""
NO_NAME = r"gpu1 does not resolve on this node \(\S+\); set rendezvous: {interface: ...} or "
NO_NAME += r"{suffix: ...} in cluster.yaml, or MASTER_ADDR in slurm_setup"


@pytest.fixture
def at_site(slurm, tmp_path):
    """Return a desk on nodes of one GPU, whose profile has these keys and this slurm_setup."""
    stack = []

    def sit(site, *, setup=(), schedule="gpipe", measure=QUICK):
        (tmp_path / "checkout").mkdir()
        root = checkout(
            tmp_path / "checkout", "here", gpus_per_node=1 if schedule == "gpipe" else 8,
            cpus_per_task=1, keys=site, slurm_setup=list(setup),
        )  # fmt: skip
        sitting = sitting_at(Desk(PLAIN, tmp_path, root=root, profile="here", real=True))
        stack.append(sitting)
        desk = sitting.__enter__()
        halves = "pipeline: {micro_batches: 2}\n" if schedule == "gpipe" else ""
        desk.grid.write_text(GRID % schedule + halves + measure)
        return desk

    yield sit
    for sitting in stack:
        sitting.__exit__(None, None, None)


@pytest.fixture
def wrapper(tmp_path):
    """Return a command that starts this Python after these lines of sh."""

    def write(*lines):
        path = tmp_path / "wrapper"
        path.write_text("\n".join(["#!/bin/sh", *lines, f'exec {sys.executable} "$@"', ""]))
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def without_names(tmp_path, wrapper):
    """Return a command that starts Python where only these names resolve."""

    def write(names="", on="*"):
        hosts = tmp_path / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {names}\n")
        inner = f'{shlex.quote(sys.executable)} "$@"'
        hide = f"mount --bind {hosts} /etc/hosts && exec {inner}"
        hidden = f'exec unshare --mount sh -c {shlex.quote(hide)} "$0" "$@"'
        return wrapper(f'case "$SLURM_PROCID" in {on}) {hidden};; esac')

    return write


def message(desk):
    """What the one result says of its failure."""
    (result,) = desk.measured()
    return result["error"]["message"]


def log(desk):
    """The one log."""
    return Path(desk.events("submitted")[0]["log"]).read_text()


def two_ports():
    """Two ports of this machine, one after the other, that nobody uses now.

    They lie below those that the ranks of other tests meet at, and that the system gives out.
    """
    for port in random.sample(range(11000, 16000, 2), 100):
        try:
            with socket.create_server(("", port)), socket.create_server(("", port + 1)):
                return port, port + 1
        except OSError:
            continue
    raise AssertionError("no ports are free")


def meets_at(desk):
    """Where the ranks of the one job met, by its log."""
    return re.search("^mpbench: ranks meet at (.*)$", log(desk), re.MULTILINE)[1]


def ends_with_an_error(desk, by_srun=False):
    """The one case is an error, and no process is left; they end before srun would end them."""
    desk.wait_for("error")
    (job,) = desk.job_ids()
    wait_until(lambda: not desk.queue() and not worker_pids(job), 45)
    assert by_srun or "First task exited" not in log(desk)


def test_a_name_that_does_not_resolve_is_said_at_once(at_site, without_names):
    desk = at_site({"python": without_names()})
    desk.submit()
    ends_with_an_error(desk)
    assert re.fullmatch(NO_NAME, message(desk))
    assert "Traceback" not in log(desk)


def test_a_name_that_only_another_rank_cannot_resolve_is_said_at_once(at_site, without_names):
    desk = at_site({"python": without_names(on="1")})
    desk.submit()
    ends_with_an_error(desk)
    assert re.fullmatch(r"rank 1 on \S+: " + NO_NAME, message(desk))


@pytest.mark.parametrize(
    ("rendezvous", "resolves", "address"),
    [
        ({"suffix": "-ib0"}, "gpu1-ib0", "gpu1-ib0"),
        ({"interface": "lo", "ports": "23000-23999"}, "", "127.0.0.1"),
    ],
    ids=["suffix", "interface"],
)
def test_ranks_meet_where_the_profile_says(at_site, without_names, rendezvous, resolves, address):
    desk = at_site({"python": without_names(resolves), "rendezvous": rendezvous})
    desk.submit()
    desk.wait_for("ok")
    met, _, port = meets_at(desk).rpartition(":")
    assert met == address
    assert int(port) in (range(23000, 24000) if "ports" in rendezvous else range(20000, 32768))


def test_ranks_meet_at_the_address_of_a_network(at_site, without_names):
    for _, name in socket.if_nameindex():
        with suppress(LookupError):
            if not (address := ipv4_of(name, "here")).startswith("127."):
                break
    else:
        pytest.skip("this machine has no network")
    desk = at_site({"python": without_names(), "rendezvous": {"interface": name}})
    desk.submit()
    desk.wait_for("ok")
    assert meets_at(desk).startswith(f"{address}:")


def test_what_the_site_sets_counts_and_what_the_shell_has_left_over_does_not(
    at_site, without_names
):
    port, _ = two_ports()
    setup = [f"export MASTER_ADDR=127.0.0.1 MASTER_PORT={port}"]
    desk = at_site({"python": without_names()}, setup=setup)
    left_over = dict.fromkeys(VARIABLES, "7") | {"MASTER_ADDR": "192.0.2.77"}
    desk.submit(**left_over)
    desk.wait_for("ok")
    assert meets_at(desk) == f"127.0.0.1:{port}"


def test_what_the_shell_has_left_over_does_not_reach_a_job(at_site):
    desk = at_site({}, setup=['echo "left: $MASTER_ADDR$RANK$MPBENCH_NOWHERE."'])
    desk.submit(**dict.fromkeys(VARIABLES, "192.0.2.77"))
    desk.wait_for("ok")
    assert "left: .\n" in log(desk)
    assert meets_at(desk).startswith("gpu1:")


def test_a_port_that_somebody_uses_is_not_chosen(at_site):
    taken, free = two_ports()
    desk = at_site({"rendezvous": {"ports": f"{taken}-{free}"}})
    with socket.create_server(("", taken)):
        desk.submit()
        desk.wait_for("ok")
    assert meets_at(desk) == f"gpu1:{free}"


def test_where_no_port_is_free_the_result_says_so(at_site):
    taken, _ = two_ports()
    desk = at_site({"rendezvous": {"ports": f"{taken}-{taken}"}})
    with socket.create_server(("", taken)):
        desk.submit()
        ends_with_an_error(desk)
    assert message(desk).startswith(f"no port of {taken}-{taken} is free on gpu1; set rendezvous:")


def test_a_port_that_is_taken_is_named_in_the_result(at_site):
    taken, _ = two_ports()
    desk = at_site({}, setup=[f"export MASTER_PORT={taken}"])
    with socket.create_server(("", taken)):
        desk.submit()
        ends_with_an_error(desk)
    assert message(desk).startswith(f"somebody else listens at gpu1:{taken}, where rank 0 is to ")
    assert "run the case again" in message(desk)


def test_without_any_python_in_the_sbatch_script_ranks_find_a_place_to_meet(at_site, wrapper):
    within_srun = wrapper('[ -n "$SLURM_STEP_ID" ] || exit 127')
    desk = at_site({"python": within_srun}, setup=["python3() { return 127; }"])
    desk.submit()
    desk.wait_for("ok")
    assert meets_at(desk).startswith("gpu1:")


@pytest.mark.parametrize("schedule", ["naive", "gpipe"])
def test_a_job_runs_under_the_python_of_its_profile(at_site, wrapper, tmp_path, schedule):
    python = a_python_of_the_site(tmp_path / "site")
    marks = tmp_path / "marks"
    marks.mkdir()
    mark = f'touch {marks}/"${{3:-}}"-"$SLURM_PROCID"-"${{SLURM_STEP_ID:-batch}}"'
    start = wrapper(mark, 'exec "$@"')
    site = {"python": f"{start} {python}"}
    desk = at_site(site, setup=["unset PYTHONPATH"], schedule=schedule)
    desk.submit(**without("torch", tmp_path))
    desk.wait_for("ok")
    ran = sorted(path.name for path in marks.iterdir())
    assert ran == (
        ["-m-0-0"] if schedule == "naive" else ["-m-0-0", "-m-1-0", "jobs.rendezvous-0-batch"]
    )
    (result,) = desk.measured()
    assert result["environment"]["packages"].keys() >= {"torch", "msgspec"}
    assert "submitit" not in result["environment"]["packages"]


@pytest.mark.parametrize("schedule", ["naive", "gpipe"])
def test_a_python_that_lacks_packages_is_an_error_that_names_them(at_site, tmp_path, schedule):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    desk = at_site({"python": str(tmp_path / "bare/bin/python")}, schedule=schedule)
    desk.submit()
    desk.wait_for("error")
    assert "lacks msgspec, numpy, nvidia-ml-py, scipy, torch: install them for it" in desk.reason()


def a_python_of_the_site(folder):
    """Make an environment that has torch and what a job needs beside it, and nothing else of ours;
    its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    ours = Path(sysconfig.get_path("purelib"))
    theirs = next(folder.glob("lib/python*/site-packages"))
    for name in needed():
        for path in ours.glob(name):
            (theirs / path.name).symlink_to(path)
    return folder / "bin" / "python"


def needed():
    """The files of the packages that docs/cluster.md names, and those of torch and its own."""
    torchs = "torch functorch torchgen typing_extensions.py sympy mpmath networkx jinja2 markupsafe"
    torchs += " filelock fsspec packaging setuptools _distutils_hack"
    beside = "msgspec numpy numpy.libs scipy scipy.libs pynvml.py"
    return [
        *(f"{torchs} {beside}").split(),
        *(f"{name}-*.dist-info" for name in ("torch", "msgspec", "numpy", "scipy")),
    ]
