"""Profiles of cluster.yaml."""

import os
from pathlib import Path

import pytest

from jobs.profiles import NOT_CONFIGURED, choose_profile, load_profiles
from jobs.slurm.sbatch import Request, sbatch_call
from study.errors import ConfigError
from study.paths import CLUSTER_FILE
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm

OPEN = "{executor: slurm, device: cuda, gpus_per_node: 8, submitit: {timeout_min: 5"
SLURM = OPEN + "}"


def write(folder: Path, entry: str, name: str = "mine") -> Path:
    path = folder / "cluster.yaml"
    path.write_text(f"profiles:\n  {name}: {entry}\n")
    return path


def test_the_shipped_profiles_are_valid():
    assert {"local", "slurm", "course", "testcluster"} <= set(load_profiles(CLUSTER_FILE))


def test_the_course_asks_with_gres_in_partition_gpu():
    course = choose_profile("course")
    assert course.gpu_parameters(5) == {"gres": "gpu:5"}
    assert course.submitit["slurm_partition"] == "gpu"


@pytest.mark.parametrize(
    ("request_", "option", "gpu_type"),
    [
        ("gpus_per_node", {"gpus_per_node": "5"}, ""),
        ("gres", {"gres": "gpu:5"}, ""),
        ('"gres:gpu:a100-40g:{n}"', {"gres": "gpu:a100-40g:5"}, "a100-40g"),
        ('"gpus_per_node:a100:{n}"', {"gpus_per_node": "a100:5"}, "a100"),
    ],
)
def test_a_gpu_request_may_be_plain_or_typed(tmp_path, request_, option, gpu_type):
    path = write(tmp_path, f"{SLURM}, gpu_request: {request_}}}")
    profile = choose_profile("mine", path)
    assert profile.gpu_parameters(5) == option
    assert profile.gpu_type == gpu_type


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{executor: slurmm, device: cuda}", "executor: 'slurmm' is not one of: slurm, local"),
        ("{executor: local}", "device: None is not one of: auto, cpu, cuda"),
        ("{executor: local, device: cpu, gpu: 3}", "unknown key 'gpu'; known keys: executor,"),
        (SLURM + ", gpu_request: gpus}", "gpu_request: 'gpus' is not gpus_per_node, gres"),
        (SLURM.replace("8", "0") + "}", "gpus_per_node: 0 is not a whole number"),
        (SLURM.replace("timeout_min: 5", "") + "}", "submitit.timeout_min: None is not"),
        (
            SLURM.replace("5", "1:00:00") + "}",
            "submitit.timeout_min: '1:00:00' is not a whole number of minutes, 1 or more; "
            "write minutes, e.g. 60",
        ),
        (SLURM.replace("5", "30:00") + "}", "timeout_min: '30:00' is not a whole number of min"),
        ("[1]", "profiles.mine: [1] is not a mapping"),
    ],
)
def test_a_wrong_profile_names_file_key_and_value(tmp_path, entry, complaint):
    path = write(tmp_path, entry)
    with pytest.raises(ConfigError) as caught:
        load_profiles(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "mark", ["\\n", "\\r", "\\0", "\\t", "\\e[2J", "\\x9b", "\\u2028", "\\u0085"]
)
@pytest.mark.parametrize(
    ("entry", "where"),
    [
        (OPEN + ', slurm_partition: "%s"}}', "submitit.slurm_partition"),
        (OPEN + ', slurm_account: "a%stouch x #"}}', "submitit.slurm_account"),
        (OPEN + ', slurm_setup: ["a", "b%stouch x"]}}', "submitit.slurm_setup"),
        (OPEN + ', slurm_teardown: ["%s"]}}', "submitit.slurm_teardown"),
        (OPEN + ', slurm_srun_args: ["%s"]}}', "submitit.slurm_srun_args"),
        (
            OPEN + ', slurm_additional_parameters: {"a%stouch x #": 1}}}',
            "submitit.slurm_additional_parameters",
        ),
        (
            OPEN + ', slurm_additional_parameters: {reservation: [{a: "%s"}]}}}',
            "submitit.slurm_additional_parameters.reservation.a",
        ),
        (SLURM + ', python: "python3%s-u"}', "python"),
        (SLURM + ', gpu_request: "gres:%s{n}"}', "gpu_request"),
        (SLURM + ', cluster_name: "%s"}', "cluster_name"),
        (SLURM + ', rendezvous: {suffix: "-ib0%s"}}', "rendezvous.suffix"),
        (SLURM + ', rendezvous: {"suffix%s": a}}', "rendezvous"),
        ('{executor: local, device: "cpu%s"}', "device"),
    ],
)
def test_no_value_of_a_profile_can_be_a_second_line_of_the_script(tmp_path, entry, where, mark):
    """sbatch and the shell read line by line, also what stands in quotes."""
    path = write(tmp_path, entry.replace("%s", mark))
    with pytest.raises(ConfigError) as caught:
        load_profiles(path)
    words = str(caught.value).removeprefix(f"{path}: profiles.mine: ")
    assert words.startswith(f"{where}: ")
    assert "has a line break or another control character; write one line" in words


@pytest.mark.parametrize(
    "name", ["a/b", "..", '"a\\nb"', '"\\e[2J"', "'" + "x/" * 400 + "'", "-a", "''"]
)
def test_a_profile_is_named_like_a_folder(tmp_path, name):
    with pytest.raises(ConfigError) as caught:
        load_profiles(write(tmp_path, SLURM + "}", name))
    assert "is no name of a folder, which a profile's is; use letters" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_a_setup_of_several_lines_has_an_entry_for_each(tmp_path):
    lines = '["if true; then", "  module load é", "fi", "a=\'b c\' # $HOME"]'
    path = write(tmp_path, f"{OPEN}, slurm_setup: {lines}}}}}")
    assert len(choose_profile("mine", path).submitit["slurm_setup"]) == 4


@pytest.mark.parametrize("key", ["a b", "'1'", "comment=x --mem", "--mem", "''"])
def test_an_additional_parameter_is_the_name_of_an_option(tmp_path, key):
    entry = OPEN + f", slurm_additional_parameters: {{{key}: 1}}}}}}"
    mine = choose_profile("mine", write(tmp_path, entry))
    with pytest.raises(ConfigError, match="is no option of sbatch; write "):
        sbatch_call(Request(1, 1, "a"), "c", "b", mine, Store(tmp_path, "mine"))


def test_an_unknown_profile_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'nowhere' is not in .*local, slurm"):
        choose_profile("nowhere")


@pytest.mark.parametrize("grid", [["task4"], ["calibration", "--for", "task4"]])
def test_that_slurm_is_not_configured_is_said_once(run, tmp_path, grid):
    slurm = FakeSlurm(tmp_path / "bin")
    slurm.answer("sbatch", "")
    unconfigured = "scontrol: fatal: Could not establish a configuration source"
    slurm.answer("scontrol", "", stderr=unconfigured, code=1)
    where = ("--results", tmp_path / "r", "--dry-run")
    env = os.environ | {"PATH": f"{slurm.folder}:{os.environ['PATH']}"}
    done = run("submit.py", "--grid", *grid, *where, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(NOT_CONFIGURED) == 1
