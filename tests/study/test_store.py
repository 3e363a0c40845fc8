"""Where results lie, and that no reader ever sees half of one."""

import stat

import pytest

from study.case import Case
from study.errors import ConfigError
from study.storage.files import write_atomically
from study.storage.store import Store

CASE = Case(depth=20, gpus=5)


def test_a_write_makes_its_folder_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two", durable=False)
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text, which no binary file takes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_no_other_file(tmp_path):
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_a_result(tmp_path):
    write_atomically(tmp_path / "a.json", b"{}")
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o644


def test_prepared_folders_stand_and_only_the_owner_enters_the_logs(tmp_path):
    store = Store(tmp_path / "results", "slurm")
    store.prepare()
    store.prepare()
    assert store.progress.is_dir()
    assert stat.S_IMODE(store.logs.stat().st_mode) == 0o700
    assert sorted(p.name for p in store.folder.iterdir()) == ["batches", "logs", "progress"]


def test_logs_that_others_could_enter_are_closed(tmp_path):
    store = Store(tmp_path, "slurm")
    store.logs.mkdir(parents=True, mode=0o777)
    store.prepare()
    assert stat.S_IMODE(store.logs.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^--results: .*/file/slurm cannot be written: .*Not a"):
        Store(tmp_path / "file", "slurm").prepare()


def test_a_result_put_aside_is_kept_each_time(tmp_path):
    store = Store(tmp_path, "slurm")
    for content in (b"first", b"second"):
        write_atomically(store.result_path(CASE), content)
        assert store.put_aside(CASE).read_bytes() == content
    assert not store.result_path(CASE).exists()
    kept = [path.read_bytes() for path in (store.folder / "replaced").iterdir()]
    assert sorted(kept) == [b"first", b"second"]


def test_a_result_that_was_put_aside_comes_back(tmp_path):
    store = Store(tmp_path, "slurm")
    write_atomically(store.result_path(CASE), b"old")
    store.put_back(CASE, store.put_aside(CASE))
    assert store.result_path(CASE).read_bytes() == b"old"


def test_a_result_that_was_put_aside_replaces_no_new_one(tmp_path):
    store = Store(tmp_path, "slurm")
    write_atomically(store.result_path(CASE), b"old")
    aside = store.put_aside(CASE)
    write_atomically(store.result_path(CASE), b"new")
    store.put_back(CASE, aside)
    assert store.result_path(CASE).read_bytes() == b"new"
    assert aside.read_bytes() == b"old"


def test_without_a_result_nothing_is_put_aside(tmp_path):
    store = Store(tmp_path, "slurm")
    assert store.put_aside(CASE) is None
    assert list(tmp_path.iterdir()) == []
