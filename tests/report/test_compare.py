"""Two sets of results side by side."""

import pytest

from study.grids.file import load_grids
from tests.report.made_up import failed, measuring, result, submit, write

pytestmark = pytest.mark.long

NOISY = [0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11]


@pytest.fixture
def compare(run, tmp_path):
    """Compare the results in `new` with those in `old`."""
    return lambda *arguments: run(
        "collect.py", "--results", tmp_path / "new", "--compare", tmp_path / "old", *arguments
    )


def row_of(text, start="| slurm"):
    lines = [line for line in text.splitlines() if line.startswith(start)]
    (row,) = lines
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize(
    ("after_s", "ratio", "verdict"),
    [(0.2, "2.000", "slower"), (0.09, "0.900", "faster"), (0.1, "1.000", "same")],
)
def test_a_case_has_a_ratio_and_a_verdict(compare, tmp_path, after_s, ratio, verdict):
    write(tmp_path / "old", "slurm", result(gpus=2, step_s=0.1))
    write(tmp_path / "new", "slurm", result(gpus=2, step_s=after_s))
    done = compare()
    row = row_of(done.stdout)
    assert done.returncode == 0, done.stderr
    assert row[-2].startswith(f"{ratio} (")
    assert row[-1] == verdict
    assert f"1 case compared: 1 {verdict}." in done.stdout


def test_noise_leaves_the_verdict_open(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2, steps_s=NOISY))
    write(tmp_path / "new", "slurm", result(gpus=2, steps_s=NOISY[::-1]))
    verdict = row_of(compare().stdout)[-1]
    assert verdict == "cannot tell; but there are only 8 timed steps"


@pytest.mark.parametrize(("limit", "code"), [("3%", 1), ("20%", 0), ("0%", 1)])
def test_a_regression_beyond_the_limit_is_exit_code_1(compare, tmp_path, limit, code):
    write(tmp_path / "old", "slurm", result(gpus=2, step_s=0.1))
    write(tmp_path / "new", "slurm", result(gpus=2, step_s=0.105))
    done = compare("--fail-on-regression", limit)
    assert done.returncode == code
    assert ("slower by" in done.stderr) is bool(code)


def test_a_regression_of_exactly_the_limit_is_exit_code_1(compare, tmp_path):
    assert 0.103 / 0.1 - 1 < 0.03
    write(tmp_path / "old", "slurm", result(gpus=2, step_s=0.1))
    write(tmp_path / "new", "slurm", result(gpus=2, step_s=0.103))
    done = compare("--fail-on-regression", "3%")
    assert done.returncode == 1
    assert "slower by 3 % or more" in done.stderr


def test_what_got_faster_is_no_regression(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2, step_s=0.2))
    write(tmp_path / "new", "slurm", result(gpus=2, step_s=0.1))
    assert compare("--fail-on-regression", "0%").returncode == 0


def test_another_configuration_is_refused_and_the_key_that_differs_named(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2, dim=1024))
    write(tmp_path / "new", "slurm", result(gpus=2))
    done = compare()
    assert done.returncode == 1
    assert "missing before; the nearest case there differs in dim (1024, not 4096)" in done.stdout
    assert "missing after; the nearest case there differs in dim (4096, not 1024)" in done.stdout
    assert "0 cases compared: none. 2 cases not compared; each says why." in done.stdout


def test_other_hardware_is_not_compared(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2))
    write(tmp_path / "new", "slurm", result(gpus=2, gpu_name="NVIDIA H100"))
    row = row_of(compare().stdout)
    assert row[-1].startswith("not compared: they were measured on different hardware")


def test_a_case_that_failed_after_is_missing(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2))
    write(tmp_path / "new", "slurm", failed(gpus=2))
    done = compare()
    assert done.returncode == 1
    assert row_of(done.stdout)[-1] == "not measured after"


def test_too_few_steps_are_not_compared(compare, tmp_path):
    few = measuring(result(gpus=2), step_times_s=[0.1], median_ci_s=None)
    write(tmp_path / "old", "slurm", few)
    write(tmp_path / "new", "slurm", result(gpus=2))
    assert "too few timed steps" in row_of(compare().stdout)[-1]


def test_profiles_of_other_names_are_paired_where_each_set_has_one(compare, tmp_path):
    write(tmp_path / "old", "course", result(gpus=2))
    write(tmp_path / "new", "slurm", result(gpus=2))
    assert row_of(compare().stdout, "| course")[0] == "course → slurm"


def both(folder, *results):
    for name in ("old", "new"):
        write(folder / name, "slurm", *results)


def test_a_gate_says_how_many_cases_it_could_not_see(compare, tmp_path):
    both(tmp_path, result(gpus=2, steps_s=NOISY), result(gpus=5))
    done = compare("--fail-on-regression", "3%")
    assert done.returncode == 0
    assert done.stderr == (
        "note: 1 of 2 cases cannot be told apart finely enough to see 3 %; measure both sets "
        "with submit.py --repeats 5, or for longer\n"
    )


def test_a_gate_that_could_see_nothing_does_not_pass(compare, tmp_path):
    both(tmp_path, result(gpus=2, steps_s=NOISY), result(gpus=5, steps_s=NOISY))
    done = compare("--fail-on-regression", "3%")
    assert done.returncode == 1
    assert "note: nothing could have been seen in any case; a gate that is blind" in done.stderr
    assert "note: 2 of 2 cases cannot be told apart finely enough to see 3 %" in done.stderr


def test_noise_is_no_blindness_where_the_limit_is_far_beyond_it(compare, tmp_path):
    both(tmp_path, result(gpus=2, steps_s=NOISY))
    done = compare("--fail-on-regression", "100%")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_the_same_within_less_than_a_verdict_can_tell_passes_every_limit(compare, tmp_path):
    both(tmp_path, result(gpus=2, steps_s=[0.1, 0.1001] * 20))
    done = compare("--fail-on-regression", "0%")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_gate_nothing_is_said_of_what_could_not_be_seen(compare, tmp_path):
    both(tmp_path, result(gpus=2, steps_s=NOISY))
    assert (compare().returncode, compare().stderr) == (0, "")


@pytest.mark.parametrize("ledger", [True, False])
def test_the_folder_of_one_profile_is_compared_as_such(run, tmp_path, ledger):
    both(tmp_path, result(gpus=2))
    write(tmp_path / "old", "course", result(gpus=5))
    if ledger:
        submit(tmp_path / "old", "slurm", result(gpus=2).case)
    done = run("collect.py", "--results", tmp_path / "new" / "slurm",
               "--compare", tmp_path / "old" / "slurm")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 case compared: 1 same." in done.stdout


@pytest.mark.parametrize("fault", ["nothing", "hardware", "steps", "job"])
def test_a_gate_does_not_pass_where_a_case_was_not_compared(compare, tmp_path, fault):
    after = result(gpus=2, gpu_name="NVIDIA H100" if fault == "hardware" else "NVIDIA A100")
    if fault == "steps":
        after = measuring(after, step_times_s=[0.1] * 4, median_ci_s=None)
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    if fault != "nothing":
        write(tmp_path / "old", "slurm", result(gpus=2))
        write(tmp_path / "new", "slurm", after)
    if fault == "job":
        write(tmp_path / "new", "slurm", failed(gpus=2, repeat=2))
    done = compare("--fail-on-regression", "3%")
    assert done.returncode == 1
    assert done.stderr


def test_a_failed_job_stands_beside_the_verdict(compare, tmp_path):
    write(tmp_path / "old", "slurm", result(gpus=2))
    write(tmp_path / "new", "slurm", result(gpus=2), failed(gpus=2, repeat=2))
    assert row_of(compare().stdout)[-1] == "same; 1 job missing or left out"


def test_a_grid_limits_what_is_compared(compare, tmp_path):
    (task4,) = load_grids(["task4"])
    for folder in ("old", "new"):
        write(tmp_path / folder, "slurm", result(gpus=2), result("task2", depth=6))
    done = compare("--grid", "task4")
    assert "1 case compared" in done.stdout
    assert task4.contains(result(gpus=2).case)


def test_a_grid_finds_what_was_submitted_with_other_values(compare, tmp_path):
    for folder in ("old", "new"):
        given = result(gpus=2, dim=512)
        submit(tmp_path / folder, "slurm", given.case, overrides={"dim": 512})
        write(tmp_path / folder, "slurm", given)
    assert "1 case compared: 1 same." in compare("--grid", "task4").stdout


def test_where_neither_has_a_case_nothing_is_compared_and_no_table_shown(compare, tmp_path):
    for folder in ("old", "new"):
        write(tmp_path / folder, "slurm", result(gpus=2))
    text = compare("--grid", "launch").stdout
    assert "Nothing to compare: neither has one of these cases." in text
    assert "|" not in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--compare", "nowhere"), "error: --compare: nowhere does not exist; name a folder"),
        (("--fail-on-regression", "3%"), "error: --fail-on-regression: needs --compare DIR"),
        (("--fail-on-regression", "3"), "'3' is not a percentage from 0% to 100%, e.g. 3%"),
        (("--fail-on-regression", "x%"), "'x%' is not a percentage from 0% to 100%, e.g. 3%"),
        (("--compare", ".", "--results", "nowhere"), "error: --results: nowhere does not exist"),
        (("--compare", ".", "--format", "csv"), "error: --format: csv has no comparisons"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(run, tmp_path, arguments, complaint):
    done = run("collect.py", "--results", tmp_path, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
