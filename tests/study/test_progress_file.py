"""What a running case says of itself."""

import pytest

from study.storage.progress import Progress, read_progress, write_progress


def test_the_last_progress_written_is_the_one_read(tmp_path):
    path = tmp_path / "progress" / "a.json"
    write_progress(path, Progress(phase="warm-up", step=1, steps=3))
    last = Progress(phase="timing", step=7, steps=20, remaining_s=1.5)
    write_progress(path, last)
    assert read_progress(path) == last
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"\x00", b'{"phase": "tim'])
def test_what_is_no_progress_is_none(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert read_progress(path) is None


def test_no_file_is_no_progress(tmp_path):
    assert read_progress(tmp_path / "none.json") is None
    assert read_progress(tmp_path) is None


def test_progress_in_words_counts_steps_where_there_are_some():
    assert str(Progress(phase="timing", step=7, steps=20)) == "timing 7/20"
    assert str(Progress(phase="build")) == "build"
