"""What is written in place is a file of ours alone, and what is read hangs nobody."""

import os
import socket
import stat

import pytest

from study.errors import ConfigError
from study.storage.files import (
    SECRET_FILE,
    make_folder,
    open_own,
    read_file,
    reserve_space,
    write_atomically,
)
from study.storage.ledger import append
from study.storage.store import Store
from tests.report.made_up import case
from tests.study.test_ledger import submitted

VICTIM = b"my thesis\n"


def link(path, target):
    path.symlink_to(target)


def dangling_link(path, target):
    path.symlink_to(target.with_name("made"))


def hard_link(path, target):
    path.hardlink_to(target)


def link_to_itself(path, target):
    path.symlink_to(path)


def pipe(path, target):
    os.mkfifo(path)


def folder(path, target):
    path.mkdir()


PLANTED = [link, dangling_link, hard_link, link_to_itself, pipe, folder]


@pytest.fixture
def victim(tmp_path):
    """A file of ours that nothing here is to change."""
    path = tmp_path / "thesis.tex"
    path.write_bytes(VICTIM)
    yield path
    assert path.read_bytes() == VICTIM
    assert not path.with_name("made").exists()


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_where_a_file_is_written_in_place_is_refused(tmp_path, victim, plant):
    path = tmp_path / "planted"
    plant(path, victim)
    with pytest.raises(OSError) as refusal:  # noqa: PT011 -- of each kind another
        os.close(open_own(path))
    assert refusal.value.filename == str(path)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_ledger_is_not_appended_to(tmp_path, victim, plant):
    plant(tmp_path / "submissions.jsonl", victim)
    with pytest.raises(OSError, match=r"submissions\.jsonl"):
        append(tmp_path / "submissions.jsonl", submitted(case(), "1"))


@pytest.mark.parametrize("plant", PLANTED)
def test_room_for_a_result_is_not_taken_in_a_planted_file(tmp_path, victim, plant):
    plant(tmp_path / "a.reserve", victim)
    with reserve_space(tmp_path / "a.reserve"):
        pass


@pytest.mark.parametrize("plant", [link, dangling_link, hard_link, link_to_itself, pipe])
def test_a_planted_file_is_replaced_by_a_write_and_not_followed(tmp_path, victim, plant):
    path = tmp_path / "result.json"
    plant(path, victim)
    write_atomically(path, b"{}")
    assert path.read_bytes() == b"{}"
    assert not path.is_symlink()


@pytest.mark.parametrize("plant", [link, dangling_link, link_to_itself, pipe, folder])
def test_what_is_no_file_of_this_name_is_not_read(tmp_path, victim, plant):
    path = tmp_path / "result.json"
    plant(path, victim)
    with pytest.raises(OSError):  # noqa: PT011 -- of each kind another
        read_file(path)


def test_a_device_and_a_socket_are_not_read(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "socket", "/dev/zero"):
            with pytest.raises(OSError):  # noqa: PT011 -- of each kind another
                read_file(path)


def test_a_link_that_a_person_names_is_read(tmp_path, victim):
    (tmp_path / "link").symlink_to(victim)
    assert read_file(tmp_path / "link", follow=True) == VICTIM


@pytest.fixture
def umask(request):
    """The umask of the test's parameter."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077], indirect=True)
def test_what_is_written_follows_the_umask_and_is_never_writable_by_others(tmp_path, umask):
    store = Store(tmp_path / "results", "mine")
    store.prepare()
    append(store.submissions, submitted(case(), "1"))
    write_atomically(store.result_path(case()), b"{}")
    os.close(open_own(store.folder / ".lock"))
    write_atomically(store.batches / "batch.json", b"{}", mode=SECRET_FILE)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "results").rglob("*")}
    assert len(modes) == 8
    assert not any(mode & stat.S_IWOTH for mode in modes.values())
    assert not any(mode & umask for mode in modes.values())
    assert modes[store.batches] == modes[store.logs] == 0o700
    assert modes[store.batches / "batch.json"] == 0o600
    assert modes[store.submissions] == 0o664 & ~umask


def test_a_ledger_that_an_earlier_version_left_open_to_all_is_closed(tmp_path):
    ledger = tmp_path / "submissions.jsonl"
    ledger.touch()
    ledger.chmod(0o666)
    append(ledger, submitted(case(), "1"))
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o664


def test_a_folder_that_others_may_write_into_is_refused_with_the_command_that_closes_it(tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    store.folder.chmod(0o777)
    with pytest.raises(ConfigError, match=f"others may write into .*: chmod o-w {store.folder}$"):
        store.prepare()


def test_a_folder_above_that_others_may_write_into_is_named(tmp_path):
    store = Store(tmp_path / "shared", "mine")
    store.prepare()
    assert store.exposed_to() == []
    (tmp_path / "shared").chmod(0o777)
    assert store.exposed_to() == [
        f"others may write into {tmp_path}/shared, and so replace results"
    ]
    (tmp_path / "shared").chmod(0o1777)  # as /tmp, where nobody moves what is another's
    assert store.exposed_to() == []


def test_folders_that_are_linked_to_another_disk_work_if_others_are_kept_out_there(tmp_path):
    store = Store(tmp_path / "results", "mine")
    scratch = tmp_path / "scratch"
    for name, mode in (("logs", 0o755), ("batches", 0o700)):
        make_folder(scratch / name)
        (scratch / name).chmod(mode)
        make_folder(store.folder)
        (store.folder / name).symlink_to(scratch / name)
    store.prepare()
    (scratch / "batches").chmod(0o750)
    with pytest.raises(ConfigError, match=f"open to others: chmod 700 {scratch}/batches$"):
        store.prepare()
