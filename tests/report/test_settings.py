"""A grid's table exists once for each setting in which something of it was started."""

from study.validation import make_case
from tests.report.made_up import case, result, submit, write
from tests.report.shown import cells, details_of, only_section, sections

CHANGED = "Changed from the usual setting of this table: "


def changes(section):
    return [fact.removeprefix(CHANGED) for fact in section.facts if fact.startswith(CHANGED)]


def test_another_dim_is_a_table_of_its_own_labelled_so_with_missing_rows(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5), result(gpus=2, dim=1024))
    own, other = sections(tmp_path)
    assert changes(own) == []
    assert changes(other) == ["dim 1024."]
    assert "dim 1024" in other.facts[0]
    assert [row["result"] for row in cells(other)] == ["ok", "not submitted"]


def test_the_own_setting_is_not_missing_where_another_was_measured(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, dim=1024))
    assert changes(only_section(tmp_path)) == ["dim 1024."]


def test_the_own_setting_is_not_missing_where_another_was_only_submitted(tmp_path):
    submit(tmp_path, "slurm", case(gpus=2, batch_size=8), overrides={"batch_size": 8})
    section = only_section(tmp_path)
    assert changes(section) == ["batch 8."]
    assert (
        cells(section)[0]["result"]
        == "no result yet (job 17, not started); submit.py --status asks what became of it"
    )


def test_a_case_of_a_grid_that_is_set_otherwise_is_left_to_it(tmp_path):
    overrides = {"dim": 8, "batch_size": 80, "dtype": "float32"}
    mine = case(gpus=2, dim=8, batch_size=80, time_limit_s=20.0)
    submit(tmp_path, "slurm", mine, grid="pipeline", overrides=overrides)
    assert changes(only_section(tmp_path)) == []
    submit(tmp_path, "slurm", mine, grid="task5", overrides=overrides)
    assert changes(only_section(tmp_path)) == ["dim 8, batch 80."]


def test_the_own_setting_stands_first_whatever_was_started_first(tmp_path):
    submit(tmp_path, "slurm", case(gpus=2, dim=8), overrides={"dim": 8})
    submit(tmp_path, "slurm", case(gpus=2))
    assert [changes(section) for section in sections(tmp_path)] == [[], ["dim 8."]]


def test_all_keys_that_differ_are_named(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, dim=8, seed=3, dtype="tf32"))
    (label,) = changes(only_section(tmp_path))
    assert label == "dim 8, dtype tf32, seed 3."


def test_another_value_of_an_axis_is_a_table_with_that_value_alone(tmp_path):
    three = case(gpus=3)
    submit(tmp_path, "slurm", three, overrides={"gpus": 3})
    write(tmp_path, "slurm", result(gpus=3))
    section = only_section(tmp_path)
    assert changes(section) == ["gpus 3."]
    assert [row["GPUs"] for row in cells(section)] == ["3"]


def test_a_case_outside_of_the_axes_makes_no_table(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, depth=40))
    section = only_section(tmp_path)
    assert not any("Profile" in fact for fact in section.facts)
    assert {row["result"] for row in cells(section)} == {"not submitted"}


def test_a_point_that_the_setting_forbids_is_no_missing_row(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, split="half"))
    section = only_section(tmp_path)
    assert changes(section) == ["split half."]
    assert [row["GPUs"] for row in cells(section)] == ["2"]


def test_task_four_answers_task_five(tmp_path):
    submit(tmp_path, "slurm", case(gpus=2), grid="task4")
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    assert all("result" not in row for row in cells(only_section(tmp_path, "task5")))


def test_the_facts_say_where_and_how_often_it_was_measured(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5, steps_s=[0.1] * 9))
    assert "Hardware: NVIDIA A100. torch 2.11.0." in only_section(tmp_path).facts
    rows = cells(details_of(tmp_path, "task4")["Samples behind each step time"])
    assert [(row["timed steps"], row["warm-up steps"]) for row in rows] == [
        ("41", "10"),
        ("9", "10"),
    ]


def test_an_override_of_task_fours_axis_shows_in_task_five_too(tmp_path):
    submit(tmp_path, "slurm", case(gpus=4), overrides={"gpus": 4})
    assert [row["GPUs"] for row in cells(only_section(tmp_path, "task5"))] == ["4"]


def test_an_override_of_an_axis_that_only_its_own_setting_allows_has_its_table(tmp_path):
    one = case("task2", depth=6, gpus=1, split="even")
    submit(tmp_path, "slurm", one, grid="task2", overrides={"gpus": 1, "split": "even"})
    section = only_section(tmp_path, "task2")
    assert changes(section) == ["split even, gpus 1."]
    assert [row["GPUs"] for row in cells(section)] == ["1", "1", "1"]


def test_an_override_with_a_value_of_the_axis_makes_no_second_table(tmp_path):
    submit(tmp_path, "slurm", case(gpus=2), overrides={"gpus": 2, "depth": 20})
    assert [row["GPUs"] for row in cells(only_section(tmp_path))] == ["2", "5"]


def test_a_case_of_a_grid_of_ones_own_leaves_the_tasks_as_they_were(tmp_path):
    submit(tmp_path, "slurm", case(gpus=2, dim=64), grid="mine")
    section = only_section(tmp_path)
    assert changes(section) == []
    assert [row["result"] for row in cells(section)] == ["not submitted"] * 2


def test_what_another_grid_was_submitted_with_is_no_fault_of_this_one(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "table: model\naxes: {gpus: [2], schedule: [1f1b, ddp]}\n"
        "model: {kind: gpt, depth: 6, dim: 8, heads: 2, batch_size: 64}\n"
        "pipeline: {micro_batches: 4}\n"
    )
    gpt = {"kind": "gpt", "depth": 6, "dim": 8, "heads": 2, "batch_size": 64, "gpus": 2}
    naive = make_case(gpt | {"schedule": "naive"}, "test")
    for overrides in ({"schedule": "naive"}, {"kind": "gpt"}, {"preset": "gpt2"}):
        submit(tmp_path, "slurm", naive, grid="gpt", overrides=overrides)
    for name in (str(mine), "task4"):
        rows = cells(only_section(tmp_path, name))
        assert {row["result"] for row in rows} == {"not submitted"}
