"""Environment variables in a result: all that may change speed, and nothing that is private."""

import json
import os

import msgspec
import pytest

from mp.hardware.devices import choose_devices
from mp.hardware.environment import describe_environment
from mp.hardware.variables import recorded_variables, set_default


@pytest.fixture
def variables(monkeypatch):
    """Set the variables of this process, and return those that a result has, through JSON."""

    def recorded(**given):
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        environment = describe_environment(choose_devices(2, "cpu"), {}, {})
        return json.loads(msgspec.json.encode(environment))["variables"]

    return recorded


@pytest.mark.parametrize(
    "name",
    [
        "NCCL_ALGO", "GLOO_SOCKET_IFNAME", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY",
        "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ONEDNN_MAX_CPU_ISA", "DNNL_VERBOSE",
        "CUDA_VISIBLE_DEVICES", "TORCH_NCCL_HIGH_PRIORITY", "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "CUBLAS_WORKSPACE_CONFIG",
        "NVIDIA_TF32_OVERRIDE",
    ],
)  # fmt: skip
def test_every_variable_of_the_libraries_is_recorded(variables, name):
    assert variables(**{name: "3", "PATH": "/bin", "HOME_SWEET": "3"}) == {name: "3"}


@pytest.mark.parametrize(
    "name",
    [
        "NCCL_TOKEN", "TORCH_HUB_TOKEN", "CUDA_API_KEY", "OMP_PASSWORD", "NCCL_PASS", "MKL_SECRET",
        "HIP_CREDENTIALS", "PYTORCH_AUTH", "torch_key", "AWS_SECRET_ACCESS_KEY", "NCCL_x_passwd",
    ],
)  # fmt: skip
def test_a_name_that_sounds_like_a_secret_is_not(variables, name):
    assert variables(**{name: "hunter2"}) == {}


@pytest.mark.parametrize(
    "value",
    [
        "http://me:hunter2@proxy:8080/", "https://hunter2@host", "x;password=hunter2",
        "-----BEGIN RSA", "Authorization: Bearer hunter2", "token: hunter2",
    ],
)  # fmt: skip
def test_a_value_that_looks_like_a_secret_is_not_recorded(variables, value):
    assert variables(NCCL_NET_PLUGIN=value) == {}


@pytest.mark.parametrize(
    "value",
    ["/home/ada/topo.xml", "~/topo.xml", "~ada/x", "a:/home/ada", "file:///home/ada/x", "../x"],
)
def test_a_path_is_known_to_be_set_and_not_where_it_leads(variables, value):
    assert variables(NCCL_TOPO_FILE=value) == {"NCCL_TOPO_FILE": "(a path)"}


def test_a_part_of_a_gpu_is_no_path(variables):
    device = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"
    assert variables(CUDA_VISIBLE_DEVICES=device) == {"CUDA_VISIBLE_DEVICES": device}


def test_number_and_length_are_bounded(variables):
    many = variables(**{f"NCCL_{number:04}": "x" * 1000 for number in range(500)})
    assert len(many) == 100
    assert {len(value) for value in many.values()} == {200}
    assert variables(**{"NCCL_" + "X" * 100: "1"}) == {}


def test_bytes_that_are_no_text_harm_nothing(variables):
    assert variables(NCCL_ALGO="\udcff") == {"NCCL_ALGO": "?"}


def test_what_a_process_sets_itself_is_nobodys_choice(variables, monkeypatch):
    variables(NCCL_ALGO="Ring")
    set_default("NCCL_ALGO", "Tree")
    set_default("NCCL_PROTO", "LL")
    assert (os.environ["NCCL_ALGO"], os.environ["NCCL_PROTO"]) == ("Ring", "LL")
    assert recorded_variables() == {"NCCL_ALGO": "Ring"}
    monkeypatch.delenv("NCCL_PROTO")
