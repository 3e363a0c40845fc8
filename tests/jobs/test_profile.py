"""Profiles of cluster.yaml."""

from pathlib import Path

import pytest

from jobs.profile import CLUSTER_FILE, choose_profile, load_profiles
from study.errors import ConfigError

SLURM = "{executor: slurm, device: cuda, gpus_per_node: 8, submitit: {timeout_min: 5}"


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
    ("request_", "option"),
    [
        ("gpus_per_node", {"gpus_per_node": "5"}),
        ("gres", {"gres": "gpu:5"}),
        ('"gres:gpu:a100-40g:{n}"', {"gres": "gpu:a100-40g:5"}),
        ('"gpus_per_node:a100:{n}"', {"gpus_per_node": "a100:5"}),
    ],
)
def test_a_gpu_request_may_be_plain_or_typed(tmp_path, request_, option):
    path = write(tmp_path, f"{SLURM}, gpu_request: {request_}}}")
    assert choose_profile("mine", path).gpu_parameters(5) == option


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


def test_an_unknown_profile_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'nowhere' is not in .*local, slurm"):
        choose_profile("nowhere")
