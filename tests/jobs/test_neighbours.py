"""What one user of a machine can do to another who submits, runs or looks: nothing."""

import sys

import pytest

from study.case import Case
from study.storage.store import Store
from tests.jobs.test_received_folders import LOOKS

SMOKE = ("--grid", "smoke", "--cluster", "local", "--results")


@pytest.fixture
def ada(users):
    return users[0]


@pytest.fixture
def eve(users):
    return users[1]


@pytest.mark.parametrize("words", LOOKS.values(), ids=LOOKS)
def test_a_look_into_another_users_folder_runs_and_writes_nothing(ada, eve, words):
    received = eve.home / "results"
    eve.shell(
        f"rm -rf {received}; mkdir -p {received}/local/batches; cd {received}/local;"
        f"ln -s {ada.home}/.profile submissions.jsonl; touch batches/mpbench-00000000-1.1.sh"
    )
    ada.shell("echo true > ~/.profile")
    words = [str(received) if word == "RECEIVED" else word for word in words]
    done = ada.python(words[0], *words[1:], "--results", received)
    assert "is a link" in done.stderr
    assert ada.shell("cat ~/.profile") == "true\n"


def test_a_file_that_is_put_in_anothers_way_in_a_shared_folder_is_refused_and_kept(ada, eve):
    shared = ada.home / "shared"
    ada.shell(f"mkdir -p -m 2775 {shared}/local; chmod 2775 {shared}/local; echo mine > ~/thesis")
    eve.shell(f"ln -s {ada.home}/thesis {shared}/local/.lock")
    done = ada.python("submit.py", *SMOKE, shared, umask=0o002)
    assert done.returncode == 2
    assert f"{shared}/local/.lock: is a link" in done.stderr
    assert ada.shell("cat ~/thesis") == "mine\n"


def test_who_shares_a_folder_with_a_group_is_told(ada, eve):
    shared = ada.home / "told"
    ada.shell(f"mkdir -p {shared}/local; chmod 755 {shared}; chmod 2775 {shared}/local")
    eve.shell(f"touch {shared}/local/hers")
    (note,) = Store(shared, "local").exposed_to()
    assert note == f"group {ada.name} may write into {shared}/local, and so replace results"


def test_nobody_submits_into_a_folder_that_belongs_to_another(ada, eve):
    theirs = eve.home / "theirs"
    eve.shell(f"mkdir -p {theirs}/local; chmod 777 {theirs} {theirs}/local")
    done = ada.python("submit.py", *SMOKE, theirs)
    assert done.returncode == 2
    assert f"{theirs}/local belongs to {eve.name}; choose a folder of yours" in done.stderr
    assert eve.shell(f"ls {theirs}/local") == ""


def test_what_a_job_is_to_run_is_read_by_its_user_alone(ada, eve):
    mine = ada.home / "mine"
    make = (
        "from study.storage.store import Store; from pathlib import Path; "
        f"Store(Path('{mine}'), 'local')"
    )
    assert ada.run(sys.executable, "-c", f"{make}.prepare()").returncode == 0
    store = Store(mine, "local")
    ada.shell(f"echo secret > {store.batches}/a.json; echo secret > {store.logs}/a.log")
    for path in (store.batches / "a.json", store.logs / "a.log"):
        assert eve_cannot(eve, "cat", path)
        assert eve_cannot(eve, "rm", path)
    assert eve_cannot(eve, "touch", store.result_path(Case(depth=2, gpus=1)))


def eve_cannot(eve, *command):
    """Whether the command is refused to her, without the leave to read that our Python needs."""
    return eve.run("setpriv", "--inh-caps=-all", "--ambient-caps=-all", *command).returncode != 0
