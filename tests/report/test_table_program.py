"""The table of a program: step time along its axes, what GPUs bring, and nothing of a model."""

import json

import msgspec
import pytest

from report.data.measured import measured
from report.kinds import KINDS
from study.grids.file import load_grids
from study.results.environment import Environment
from study.results.file import encode
from study.results.program import GpuSamples, ProgramRun
from study.results.result import Result
from study.results.validation import ResultError, check_result
from study.statistics.bootstrap import interval
from study.storage.files import write_atomically
from study.storage.store import Store
from tests.report.made_up import failed, result, steady, submit, write

GIB = 2**30
GRID = (
    "title: Steps of a program\n"
    "program: {command: 'torchrun --nproc-per-node {gpus} train.py --layers {layers}'}\n"
    "axes: {layers: [2, 4], gpus: [1, 2, 4]}\n"
)


def environment(gpus) -> Environment:
    """As of a case that ran well on so many GPUs, without what is torch's."""
    known = result("task4", gpus=max(2, gpus)).environment
    unknown = dict.fromkeys(("cpu_threads", "torch", "tf32", "float32_matmul_precision"))
    unknown |= dict.fromkeys(("cuda", "cudnn", "nccl"))
    own = {"gpus": known.gpus[:gpus], "topology": [], "packages": {}}
    return msgspec.structs.replace(known, **own, **unknown)


def program(case, steps_s, told_by="file", item="token", emulated=False) -> Result:
    """A program that ran well."""
    found = interval([steps_s])
    gpus = 0 if emulated else case.gpus
    run = ProgramRun(
        told_by=told_by,
        step_times_s=steps_s,
        median_ci_s=None if found is None else (found.low, found.high),
        wall_s=steps_s[0] if told_by == "wall_time" else 2 * sum(steps_s),
        items_per_step=8192 if told_by == "file" else None,
        item=item if told_by == "file" else None,
        first_loss=None,
        sample_interval_s=0.1,
        gpus=tuple(
            GpuSamples(index=at, samples=9, used_before_bytes=GIB, utilization=0.9 - 0.1 * at,
                       peak_used_bytes=(10 + at) * GIB)
            for at in range(gpus)
        ),
    )  # fmt: skip
    base = failed(gpus=2)
    return msgspec.structs.replace(
        base, case=case, case_id=case.case_id, outcome="ok", error=None, emulated=emulated,
        environment=environment(gpus), program=run,
        job=msgspec.structs.replace(base.job, requested_gpus=case.gpus),
    )  # fmt: skip


@pytest.fixture
def cases(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(GRID)
    (grid,) = load_grids([str(path)])
    return grid.cases()


@pytest.fixture
def collect(run, tmp_path):
    def collect(results, *arguments, folder="r"):
        for each in results:
            path = Store(tmp_path / folder, "slurm").result_path(each.case)
            write_atomically(path, encode(each))
        where = ("--grid", tmp_path / "own.yaml", "--results", tmp_path / "r")
        done = run("collect.py", *where, *arguments)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return collect


def scaled(cases, factor=1.0):
    """A step takes 10 ms a layer on one GPU, and 1.6 times less with every doubling."""
    return [
        program(c, steady(factor * 0.01 * c.arguments["layers"] / 1.6 ** (c.gpus.bit_length() - 1)))
        for c in cases
    ]


def test_the_table_has_step_time_speed_up_items_and_samples(cases, collect):
    text = collect(scaled(cases)).stdout
    (heading,) = (line for line in text.splitlines() if line.startswith("| args.layers"))
    of_gpus = ("speed-up over 1 GPU", "efficiency", "cost of a step", "tokens/s per GPU")
    sampled = ("peak memory in use (sampled)", "utilisation of a run")
    wanted = ("step time (95 % CI)", "tokens/s", *of_gpus, *sampled)
    assert [name for name in wanted if name not in heading] == []
    absent = ("FLOP", "bubble", "predict", "depth", "layer map")
    assert [word for word in absent if word in text] == []
    (row,) = (line for line in text.splitlines() if line.startswith("| 2 ") and "| 4 " in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:5] == ["2.56", "64.0 %"]
    assert "13.0 GiB" in row  # of the fullest of four
    assert "sampled every 100 ms" in text
    assert "The shortest step takes 7.81 ms (4 GPUs, args.layers 2), the longest 40" in text


def test_cases_that_take_equally_long_have_no_shortest(cases, collect):
    text = collect([program(case, steady(0.1)) for case in cases]).stdout
    assert "A step takes 100 ms in all 6 cases." in text
    assert "The shortest" not in text


def test_answers_tell_of_every_axis_and_of_gpus(cases, collect):
    text = collect(scaled(cases)).stdout
    assert "Does args.layers change the step time?" in text
    assert "args.layers 4 takes 2.00 times as long as args.layers 2" in text
    assert "How many GPUs are worth it?" in text
    assert "efficiency 100 → 80 %" in text


def test_the_wall_time_of_a_run_is_not_compared_with_steps(cases, collect):
    one, other = cases[0], next(c for c in cases if c.gpus == 1 and c is not cases[0])
    done = collect([program(one, steady(0.01)), program(other, [3.5], told_by="wall_time")])
    assert "they were measured by different figures (steps; the wall time of the whole run)" in (
        done.stdout
    )
    assert "since the program said no steps" in done.stdout
    assert "A whole run of a program that said no steps takes 3.5" in done.stdout


def test_a_program_without_gpus_is_said_to_be_emulated(cases, collect):
    found = [program(c, steady(0.01 * c.gpus), emulated=True) for c in cases]
    text = collect(found).stdout
    assert "EMULATED: 6 of 6 results come from programs without GPUs" in text
    assert "What more GPUs bring is not told of 6 cases" in text
    assert "speed-up" not in text


def test_values_of_a_program_leave_out_what_only_a_model_has(cases, collect):
    rows = json.loads(collect(scaled(cases), "--format", "json").stdout)[0]["rows"]
    assert len(rows) == 6
    assert rows[0]["step_time_s"] == pytest.approx(0.02)
    absent = ("depth", "dim", "batch_size", "samples_per_s", "moves_forward", "bytes_forward")
    assert [rows[0].get(name) for name in absent] == [None] * len(absent)


def test_columns_of_a_model_have_dashes_for_a_program(cases, collect):
    text = collect(scaled(cases), "--columns", "moves,calls,layers,step_time").stdout
    assert "| 0 " not in text


def test_programs_of_a_file_that_is_not_known_have_their_own_kind_of_table(cases, run, tmp_path):
    for each in scaled(cases):
        submit(tmp_path / "r", "slurm", each.case, grid="mine")
        write(tmp_path / "r", "slurm", each)
    done = run("collect.py", "--results", tmp_path / "r", "--details")
    assert "## mine" in done.stdout
    assert "Q1 How long does a step take?" in done.stdout
    assert "peak memory in use (sampled)" in done.stdout


def test_every_format_shows_hostile_words_as_text(cases, collect, tmp_path):
    item = "<script>alert(1)"
    found = [program(c, steady(0.01), item=item) for c in cases[:3]]
    words = "it said: <img src=x onerror=alert(1)> [x](javascript:1) \x1b[31m"
    lost = failed("error", words, gpus=2)
    lost = msgspec.structs.replace(lost, case=cases[3], case_id=cases[3].case_id)
    for name in ("r.html", "r.pdf"):
        done = collect([*found, lost], "--report", tmp_path / name)
        assert (tmp_path / name).exists(), done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    text = collect([]).stdout
    assert "\x1b" not in text
    assert "Failed: layers 4 on 1 GPU (error)" in text


def test_two_folders_of_programs_are_compared_case_by_case(cases, collect, tmp_path):
    collect(scaled(cases, 1.1), folder="old")
    done = collect(scaled(cases), "--compare", tmp_path / "old")
    assert "6 cases compared: 6 faster" in done.stdout
    assert "torch" not in done.stdout


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"emulated": True}, "is emulated with all its GPUs"),
        ({"environment": None}, "lacks its environment"),
        ({"program": None}, "has the run of a program where there is none, or lacks it"),
    ],
)
def test_a_result_that_contradicts_itself_is_refused(cases, changes, problem):
    good = program(cases[0], steady(0.01))
    check_result(good)
    with pytest.raises(ResultError, match=problem):
        check_result(msgspec.structs.replace(good, **changes))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"wall_s": 0.001}, "took longer than the program"),
        ({"told_by": "wall_time"}, "not its one figure"),
        ({"step_times_s": [0.0]}, "positive step times"),
        ({"gpus": ()}, "samples of other GPUs"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(cases, changes, problem):
    good = program(cases[0], steady(0.01))
    bad = msgspec.structs.replace(good.program, **changes)
    with pytest.raises(ResultError, match=problem):
        check_result(msgspec.structs.replace(good, program=bad))


def test_a_measured_program_has_steps_and_no_layer(cases):
    found = measured(program(cases[0], steady(0.01)))
    assert found.measurement.step_times_s == steady(0.01)
    assert found.measurement.per_gpu == found.placement.gpu_of_layer == found.ceilings.gemm == []
    assert KINDS["program"].answers([found])
