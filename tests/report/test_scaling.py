"""How many GPUs are worth it: speed-up, efficiency and cost, in words, columns and a figure."""

import pytest

from report.analysis.metrics import Baselines, metrics
from report.answers import scaling
from report.data.measured import measured
from report.figures import scaling as figure
from study.schedules import SCHEDULES
from tests.report.made_up import measuring, result, steady, write
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells, details_of, only_section, sentences

TIMES = {1: 0.4, 2: 0.22, 4: 0.13, 8: 0.09}


def of(*results):
    return [measured(made) for made in results]


def curve(schedule="zbv", times=TIMES, **keys):
    """A naive case on 1 GPU and a schedule on more, with these step times."""
    one, *more = times.items()
    first = scheduled("naive", gpus=one[0], step_s=one[1], **keys)
    return [first, *(scheduled(schedule, gpus=n, step_s=s, **keys) for n, s in more)]


def test_two_counts_are_a_sentence_with_gain_efficiency_and_cost():
    (answer,) = scaling.answer(of(result(gpus=2, step_s=0.1), result(gpus=4, step_s=0.055)))
    assert answer.question == "How many GPUs are worth it?"
    (sentence,) = answer.sentences
    assert sentence == (
        "A step is fastest on 4 GPUs (55 ms) and cheapest on 2 GPUs (200 GPU-ms). From 2 to 4 "
        "GPUs: 1.82 times as fast for twice the GPUs (efficiency 100 → 91 %); a step costs 220 "
        "instead of 200 GPU-ms."
    )


def test_each_count_is_compared_with_the_next_at_its_fastest():
    slow = scheduled("gpipe", gpus=4, step_s=0.2)
    (answer,) = scaling.answer(of(*curve(), slow))
    (text,) = answer.sentences
    assert "From 1 GPU (naive) to 2 GPUs (ZBV with 10 micro-batches): 1.82 times" in text
    assert "From 2 to 4 GPUs: 1.69 times as fast for twice the GPUs (efficiency 91 → 77 %)" in text
    assert "From 4 to 8 GPUs: 1.44 times as fast for twice the GPUs (efficiency 77 → 56 %)" in text
    assert "a step costs 720 instead of 520 GPU-ms" in text
    (headline,) = scaling.headlines(of(*curve(), slow))
    assert headline.startswith(
        "Number of GPUs: From 1 GPU (naive) to 8 GPUs (ZBV with 10 micro-batches): 4.44 times"
    )


def test_more_gpus_that_do_not_help_are_not_praised():
    (answer,) = scaling.answer(of(result(gpus=2, step_s=0.1), result(gpus=5, step_s=0.12)))
    assert answer.sentences == [
        "From 2 to 5 GPUs: 1.20 times as long for 2.5 times the GPUs (efficiency 100 → 33 %); "
        "a step costs 600 instead of 200 GPU-ms."
    ]
    (answer,) = scaling.answer(of(*(result(gpus=g, steps_s=steady(0.1)) for g in (2, 5))))
    assert answer.sentences[0].startswith("From 2 to 5 GPUs: no faster for 2.5 times the GPUs")


def test_no_count_is_called_the_cheapest_where_all_cost_as_much():
    (answer,) = scaling.answer(of(result(gpus=2, step_s=0.1), result(gpus=4, step_s=0.05)))
    assert answer.sentences[0].startswith("A step is fastest on 4 GPUs (50 ms). From 2 to 4")


def test_emulated_gpus_have_no_speed_up(tmp_path):
    emulated = result(gpus=5, step_s=0.01, emulated=True)
    assert scaling.answer(of(result(gpus=2), emulated)) == []
    both = Baselines(of(result(gpus=2), emulated))
    assert metrics(*of(emulated), both).speed_up is None
    real = [result(gpus=n) for n in (1, 2)]
    assert figure.make_figure(of(*real, emulated)) is None
    assert figure.make_figure(of(*real, result(gpus=5))) is not None
    write(tmp_path, "slurm", result(gpus=2), result(gpus=3), emulated)
    rows = cells(only_section(tmp_path))
    assert [row["GPUs"] for row in rows][-1] == "5 (emulated)"
    assert {rows[-1][name] for name in ("efficiency", "samples/s", "cost of a step")} == {"–"}


def test_other_hardware_is_refused_by_name():
    other = result(gpus=4, gpu_name="NVIDIA H100")
    (answer,) = scaling.answer(of(result(gpus=2), other))
    assert (
        "from 2 to 4 GPUs cannot be told from these results: they were measured on different"
        in (answer.sentences[0])
    )


def test_groups_that_differ_in_another_key_are_named():
    both = [result(gpus=n, optimizer=o) for o in ("sgd", "adam") for n in (1, 2)]
    (answer,) = scaling.answer(of(*both))
    assert [text.split(": ")[0] for text in answer.sentences] == ["Optimizer sgd", "Optimizer adam"]


@pytest.mark.parametrize(("task", "axis"), [("memory", "memory of GPU 0"), ("step_time", "time")])
def test_a_grid_with_gpu_counts_has_columns_of_what_they_bring(tmp_path, task, axis):
    path = tmp_path / "mine.yaml"
    path.write_text(f"table: {task}\naxes: {{gpus: [2, 4]}}\nmodel: {{depth: 20}}\n")
    write(tmp_path, "slurm", result(gpus=2, step_s=0.1), result(gpus=4, step_s=0.055))
    section = only_section(tmp_path, str(path))
    (two, four) = cells(section)
    assert (two["speed-up over 2 GPUs"], four["speed-up over 2 GPUs"]) == ("1.00", "1.82")
    assert (two["efficiency"], four["efficiency"]) == ("100.0 %", "90.9 %")
    assert (two["samples/s"], four["samples/s"]) == ("640", "1160")
    assert (two["cost of a step"], four["cost of a step"]) == ("200 GPU-ms", "220 GPU-ms")
    assert any(axis in name for name in section.table.columns)
    assert [text for text in sentences(section) if "1.82 times as fast for twice" in text]


def test_one_gpu_count_has_no_such_columns(tmp_path):
    write(tmp_path, "slurm", result("task2", depth=6), result("task2", depth=12))
    columns = only_section(tmp_path, "task2").table.columns
    assert not {"efficiency", "cost of a step"} & {*columns}


def test_memory_of_many_gpus_leaves_what_they_bring_to_a_table_of_its_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("table: memory\naxes: {gpus: [2, 8]}\nmodel: {depth: 20}\n")
    write(tmp_path, "slurm", result(gpus=2), result(gpus=8))
    section = only_section(tmp_path, str(path))
    assert "memory of GPU 7" in section.table.columns
    assert "efficiency" not in section.table.columns
    rows = cells(details_of(tmp_path, str(path))["What more GPUs bring and cost"])
    assert [row["efficiency"] for row in rows] == ["100.0 %", "25.0 %"]


def test_the_figure_has_a_line_for_each_schedule_and_the_ideal():
    results = of(*curve(), scheduled("1f1b", gpus=4, step_s=0.2), scheduled("naive", gpus=4))
    drawn = figure.make_figure(results)
    assert drawn is not None
    assert "naive: 1 GPU 1.00, 4 GPUs 1.33" in drawn.alt
    assert "1F1B: 4 GPUs 2.00" in drawn.alt
    assert "ZBV: 2 GPUs 1.82, 4 GPUs 3.08, 8 GPUs 4.44" in drawn.alt
    assert "dashed line is perfect sharing" in drawn.caption


def test_of_too_many_lines_the_fastest_are_drawn():
    """Once the first were, and DDP, the fastest of all, was not among them."""
    found = {str(n): [(1, 1.0), (4, n / 10)] for n in range(12)}
    assert list(figure._fastest(found)) == [str(n) for n in range(12 - len(SCHEDULES), 12)]
    one, four = ([scheduled(s, gpus=g, step_s=0.1) for s in SCHEDULES] for g in (1, 4))
    drawn = figure.make_figure(of(*one, *four))
    assert all(f"{schedule.label}: " in drawn.alt for schedule in SCHEDULES.values())


def test_two_points_of_one_schedule_are_no_curve():
    assert figure.make_figure(of(result(gpus=2), result(gpus=5))) is None
    three = of(*(result(gpus=n) for n in (1, 2, 4)))
    assert figure.make_figure(three) is not None


def test_the_best_setting_of_a_schedule_is_drawn():
    both = [scheduled("zbv", gpus=4, step_s=s, micro_batches=m) for s, m in ((0.2, 10), (0.1, 20))]
    drawn = figure.make_figure(of(scheduled("naive", gpus=1, step_s=0.4), *both))
    assert "ZBV: 4 GPUs 4.00" in drawn.alt


def test_a_speed_up_over_a_disturbed_run_has_two_digits(tmp_path):
    write(tmp_path, "slurm", measuring(result(gpus=2), warmup_steady=False))
    write(tmp_path, "slurm", result(gpus=5, step_s=0.0456))
    row = cells(only_section(tmp_path))[1]
    assert (row["speed-up over 2 GPUs"], row["efficiency"]) == ("≈ 2.2", "≈ 88 %")


def test_the_baseline_is_naive_on_the_fewest_gpus_or_else_the_same_schedule():
    naive, pipeline = scheduled("naive", gpus=2), scheduled("zbv", gpus=4)
    results = of(scheduled("zbv", gpus=2), naive, pipeline, scheduled("1f1b", gpus=1))
    assert Baselines(results).of(results[2]) is results[1]
    assert Baselines(results).of(results[0]) is results[1]
    assert Baselines(results).of(results[3]) is results[3]


def test_baselines_are_found_without_comparing_all_with_all(monkeypatch):
    compared = []
    monkeypatch.setattr(
        "report.analysis.metrics.why_not_ranked", lambda a, b: compared.append((a, b))
    )
    results = of(*(result(gpus=n, seed=seed) for seed in range(30) for n in (1, 2)))
    found = Baselines(results)
    assert [found.of(r).case.gpus for r in results] == [1, 1] * 30
    assert len(compared) == 30


def test_of_many_settings_a_few_have_a_paragraph():
    made = [result(gpus=n, seed=seed) for seed in range(15) for n in (1, 2)]
    (answer,) = scaling.answer(of(*made))
    assert len(answer.sentences) == 13
    assert answer.sentences[-1] == "The table has 3 more settings."
    assert len(scaling.headlines(of(*made))) == 12
