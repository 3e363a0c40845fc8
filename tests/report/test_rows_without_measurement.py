"""A case without a measurement is a row that says why."""

import pytest

from study.storage.progress import Progress, write_progress
from study.storage.store import Store
from tests.report.made_up import HOMEWORK, case, end, failed, grid, result, submit, write
from tests.report.shown import cells, only_section, sections, shown_in

FIVE = case(gpus=5)
ASK = "submit.py --status asks what became of it"


def reason(folder):
    """What the row of task 4 on 5 GPUs says, where that on 2 GPUs was measured."""
    write(folder, "slurm", result(gpus=2))
    measured, row = cells(only_section(folder))
    assert measured["result"] == "ok"
    assert row["step time (95 % CI)"] == "–"
    return row["result"]


def test_a_case_that_nobody_submitted(tmp_path):
    assert reason(tmp_path) == "not submitted"


def test_a_submitted_case_waits_with_its_job(tmp_path):
    submit(tmp_path, "slurm", FIVE)
    assert reason(tmp_path) == "no result yet (job 17, not started); " + ASK


def test_a_running_case_shows_its_job_and_progress(tmp_path):
    store = submit(tmp_path, "slurm", FIVE)
    progress = Progress(phase="timing", step=7, steps=100)
    write_progress(store.progress_path(FIVE, ""), progress)
    assert reason(tmp_path) == "no result yet (job 17, last seen at timing 7/100); " + ASK


def test_a_case_whose_job_ended_without_a_result(tmp_path):
    store = submit(tmp_path, "slurm", FIVE)
    end(store, FIVE, "its process was killed")
    assert reason(tmp_path) == "error: its process was killed (job 17)"


def test_a_case_that_failed(tmp_path):
    write(tmp_path, "slurm", failed("oom_gpu", "out of memory on GPU 3", gpus=5))
    assert reason(tmp_path) == "failed: oom_gpu: out of memory on GPU 3"


NO_ROOM = (
    "CUDA out of memory. Tried to allocate 30.68 GiB. GPU 1 has a total capacity of 139.80 GiB of "
    "which 16.44 GiB is free. Including non-PyTorch memory, this process has 123.35 GiB in use."
)


@pytest.mark.parametrize(
    ("message", "brief"),
    [
        (NO_ROOM, "failed: out of memory on GPU 1: 30.7 GiB asked, 16.4 GiB free"),
        (f"[rank 1] {NO_ROOM}", "failed: out of memory on GPU 1: 30.7 GiB asked, 16.4 GiB free"),
        ("word " * 40, "failed: oom_gpu: word word word word word word word word …"),
    ],
)
def test_a_long_message_is_below_the_table_and_in_its_row_a_few_words(tmp_path, message, brief):
    write(tmp_path, "slurm", result(gpus=2), failed("oom_gpu", message, gpus=5))
    section = only_section(tmp_path)
    assert cells(section)[-1]["result"] == brief
    assert section.table.notes[-1] == f"depth 20, 5 GPUs: failed: oom_gpu: {message.strip()}"


def test_a_failed_case_is_named_by_what_tells_it_from_the_others(tmp_path):
    rows = [result(gpus=2, batch_size=64), failed(gpus=2, batch_size=128)]
    grid = "axes: {depth: [20], gpus: [2], batch_size: [64, 128]}\nmodel: {split: even, dim: 4096}"
    section, _ = shown_in(tmp_path, f"{grid}\nmeasure: {{time_limit_s: 20}}\n", *rows)
    text = section.answers[-1].sentences[0]
    assert text.endswith("Failed: batch 128, depth 20 on 2 GPUs (out of memory on a GPU).")


def test_a_failed_case_of_a_model_of_ones_own_is_named_by_the_argument_that_differs(tmp_path):
    (tmp_path / "mine.py").write_text("def build(): ...\n")
    own = {"kind": "factory", "factory": f"{tmp_path}/mine.py:build", "depth": 6, "gpus": 2}
    made = [result(**own, **{"args.rnd": False}), failed(**own, **{"args.rnd": True})]
    grid = f"axes: {{args.rnd: [false, true]}}\nmodel: {{factory: '{own['factory']}', depth: 6"
    section, _ = shown_in(tmp_path, f"{grid}, gpus: 2, batch_size: 64}}\n", *made)
    text = section.answers[-1].sentences[0]
    assert text.endswith("Failed: args.rnd true, depth 6 on 2 GPUs (out of memory on a GPU).")


def test_a_case_that_was_cancelled_did_not_run_and_has_not_failed(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    end(submit(tmp_path, "slurm", FIVE), FIVE, "Slurm says CANCELLED", "cancelled")
    text = only_section(tmp_path).answers[-1].sentences[0]
    assert text.endswith(" Not run: depth 20 on 5 GPUs (cancelled).")
    assert "Failed" not in text


def test_a_result_counts_more_than_what_was_submitted(tmp_path):
    store = submit(tmp_path, "slurm", FIVE)
    end(store, FIVE, "its process was killed")
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    assert all("result" not in row for row in cells(only_section(tmp_path)))


@pytest.mark.parametrize("task", HOMEWORK)
def test_a_task_that_nobody_started_has_all_its_rows(tmp_path, task):
    section = only_section(tmp_path, task)
    rows = cells(section)
    assert [(int(row["depth"]), int(row["GPUs"])) for row in rows] == [
        (case.depth, case.gpus) for case in grid(task).cases()
    ]
    assert {row["result"] for row in rows} == {"not submitted"}
    assert section.table.columns[-1] == "result"
    assert (
        "cannot be told from these results: no case has been measured."
        in section.answers[0].sentences[0]
    )


def test_each_profile_has_a_table_of_its_own(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    write(tmp_path, "local", result(gpus=2), result(gpus=5))
    Store(tmp_path, "never-used").prepare()
    local, slurm = sections(tmp_path)
    assert local.title.endswith(" (local)")
    assert slurm.title.endswith(" (slurm)")
    assert [row["result"] for row in cells(slurm)] == ["ok", "not submitted"]
