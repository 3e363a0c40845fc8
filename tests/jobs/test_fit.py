"""Cases against the memory of a GPU: what says its size, what a plan shows, what is refused."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pynvml
import pytest

from jobs.executors import executor_of
from jobs.fit.forecast import fit_lines, make_fits, refuse_what_cannot_fit
from jobs.fit.sizes import largest, size_by_profile, size_by_type
from jobs.launch import check_memory, launch, show_dry_run
from jobs.local import runner
from jobs.local.gpus import largest_gpu
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.profiles import choose_profile
from jobs.slurm.nodes import gpu_types
from jobs.terminal.next_steps import CommandLine
from predict.memory.gpu_size import GIB, GpuSize
from predict.memory.linear.profile import linear_profile
from study.errors import ConfigError
from study.grids.grid import Grid
from study.results.calibration.layers import MeasuredSizes, MemoryBesideTorch
from study.results.file import encode
from study.storage.store import Store
from study.validation import make_case
from tests.jobs.fake_slurm import FakeSlurm
from tests.jobs.test_profile import SLURM, write
from tests.predict.made_up_calibration import calibration
from tests.report import made_up

SIZE = GpuSize(80 * GIB, "gpu_memory_gb", "h100")
OTHER = GpuSize(80 * GIB, "gpu_memory_gb", "a100-80g")
HUGE = {"depth": 20, "dim": 65536, "batch_size": 64}


def planned(*cases, **keys):
    given = [make_case({"depth": 20, "gpus": 2, "dim": 4096} | keys | its, "t") for its in cases]
    return [PlannedCase(case=case, grid="g") for case in given]


def fits_of(size, folder=Path("/nowhere"), **more):
    return make_fits(size, Store(folder, "mine"), **more)


def local(**keys):
    return Profile("mine", "cluster.yaml: profiles.mine", "local", "cpu", **keys)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    return fake


def order(tmp_path, setting, profile, axes=None, **policy):
    grid = Grid(name="g", source="g.yaml", title="g", table="memory",
                axes=axes or {"gpus": (2,)}, setting=setting)  # fmt: skip
    executor = executor_of(profile, Store(tmp_path, "mine"))
    return SubmitOrder([grid], {}, executor, RerunPolicy(**policy), CommandLine(["g"]))


# --- the size of a GPU ---


@pytest.mark.parametrize("value", ["0", "-80", "80 GB", "[80]", ".inf", ".nan", "100000", "true"])
def test_an_impossible_memory_size_is_one_line(tmp_path, value):
    path = write(tmp_path, f"{SLURM}, gpu_memory_gb: {value}}}")
    with pytest.raises(ConfigError) as caught:
        choose_profile("mine", path)
    words = str(caught.value)
    assert words.startswith(f"{path}: profiles.mine: gpu_memory_gb: ")
    assert "is no number of GB above 0, at most 10000; write" in words
    assert "\n" not in words


def test_a_size_of_a_wrong_name_lists_the_keys(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'gpu_memory'; known keys: .*gpu_memory_gb"):
        choose_profile("mine", write(tmp_path, f"{SLURM}, gpu_memory: 80}}"))


def test_a_profile_says_the_size_of_its_gpus_on_slurm_and_here(tmp_path):
    for entry in (SLURM, "{executor: local, device: cpu"):
        profile = choose_profile("mine", write(tmp_path, f"{entry}, gpu_memory_gb: 79.6}}"))
        size = executor_of(profile, Store(tmp_path, "mine")).gpu_size()
        assert str(size) == "79.6 GiB (gpu_memory_gb)"


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("nvidia_h100_80gb_hbm3", 80),
        ("h100", 80),
        ("h100_nvl", 94),
        ("a100-40g", 40),
        ("nvidia_a100-sxm4-80gb", 80),
        ("a100_3g.20gb", 20),
        ("tesla_v100-sxm2-32gb", 32),
        ("h100-96", 96),
        ("h100-47", 47),
        ("h100-2", 80),
        ("nvidia_gh200_480gb", 96),
        ("gh200_144g_hbm3e", 144),
        ("a40", 48),
        ("a100", None),
        ("v100", None),
        ("", None),
        ("gpu7", None),
    ],
)
def test_a_type_has_a_known_size_where_there_is_one_of_it(name, gib):
    size = size_by_type(name)
    assert (size and size.size / GIB) == gib


def test_a_typed_request_says_the_size():
    typed = Profile("m", "s", "slurm", "cuda", gpu_request="gres:gpu:a100-40g:{n}")
    assert str(size_by_profile(typed)) == "40 GiB (type a100-40g)"
    assert size_by_profile(Profile("m", "s", "slurm", "cuda")) is None


def test_of_different_gpus_the_largest_counts_and_an_unknown_one_leaves_it_open():
    sizes = [size_by_type("h100"), size_by_type("h200")]
    assert largest(sizes).size == 141 * GIB
    assert largest([*sizes, None]) is None
    assert largest([]) is None


def test_slurm_tells_the_types_of_a_partitions_gpus(slurm):
    slurm.answer("sinfo", "gpu*|gpu:h100:8(S:0-1),tmp:5\ncpu|(null)\nbig|gpu:h200:8\ngpu*|gpu:4\n")
    assert gpu_types("") == ["h100", ""]
    slurm.answer("sinfo", "big|gpu:h200:8\nbig|gpu:h100:8\n")
    assert gpu_types("big") == ["h200", "h100"]


def test_an_executor_asks_slurm_only_where_the_profile_is_silent(slurm, tmp_path):
    profile = Profile("m", "s", "slurm", "cuda", gpus_per_node=8)
    slurm.answer("sinfo", "gpu*|gpu:nvidia_h100_80gb_hbm3:8\n")
    known = executor_of(profile, Store(tmp_path, "m")).gpu_size()
    assert str(known) == "80 GiB (type nvidia_h100_80gb_hbm3)"
    slurm.answer("sinfo", "", stderr="down", code=1)
    assert executor_of(profile, Store(tmp_path, "m")).gpu_size() is None


def test_the_driver_tells_the_size_of_a_gpu_here(monkeypatch, tmp_path):
    def memory_of(number):
        return SimpleNamespace(total=(24, 80)[number] * GIB)

    for name, answer in (
        ("nvmlInit", lambda: None),
        ("nvmlShutdown", lambda: None),
        ("nvmlDeviceGetCount", lambda: 2),
        ("nvmlDeviceGetHandleByIndex", lambda number: number),
        ("nvmlDeviceGetMemoryInfo", memory_of),
        ("nvmlDeviceGetName", lambda number: ("NVIDIA A10", "NVIDIA H100 80GB HBM3")[number]),
    ):
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.setattr(runner, "why_no_gpu", lambda: None)
    profile = Profile("m", "s", "local", "auto")
    size = executor_of(profile, Store(tmp_path, "m")).gpu_size()
    assert (size.size, size.is_measured) == (80 * GIB, True)

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert largest_gpu() is None


# --- what a plan says ---


def test_a_plan_counts_what_fits_and_names_what_is_unknown():
    cases = planned({}, {"gpus": 4}, HUGE)
    own = {"kind": "factory", "factory": "m.py:build", "sha256": "0" * 64, "depth": 2}
    for keys in (own, {"kind": "program", "command": "true"}):
        cases.append(PlannedCase(case=make_case({"gpus": 1} | keys, "t"), grid="g"))
    lines = fit_lines(cases, fits_of(SIZE))
    assert lines[0] == (
        "Memory of the fullest GPU against 80 GiB (gpu_memory_gb): 2 fit, 1 cannot fit."
    )
    why = "no job has measured the layers of m.py:build yet, as this case would run them"
    assert lines[1].startswith(f"Memory unknown: {why}; a calibration does, and ")
    assert lines[1].endswith("(1 case).")
    assert fit_lines(cases[-1:], fits_of(SIZE)) == []


def test_a_calibration_runs_layers_alone_and_is_never_too_large():
    case = make_case(
        {
            "depth": 20,
            "gpus": 1,
            "dim": 65536,
            "batch_size": 64,
            "calibrates": "rows=64 gradients=separate schedules=naive layers=20",
        },
        "t",
    )
    assert fits_of(SIZE).of(case) is None
    refuse_what_cannot_fit([PlannedCase(case=case, grid="g")], fits_of(SIZE), lambda case: None)


def test_without_a_known_size_nothing_is_compared_or_refused():
    fits = fits_of(None)
    refuse_what_cannot_fit(planned(HUGE), fits, lambda case: None)
    (line,) = fit_lines(planned(HUGE), fits)
    assert "the size of a GPU is not known here; gpu_memory_gb in cluster.yaml gives it" in line
    assert fit_lines(planned(HUGE), fits_of(None, is_emulated=True)) == []


def test_what_cannot_fit_is_refused_with_the_fewest_gpus_that_would_do():
    with pytest.raises(ConfigError) as caught:
        refuse_what_cannot_fit(planned({}, HUGE), fits_of(SIZE), lambda case: None)
    words = str(caught.value)
    assert words == (
        f"g: {planned(HUGE)[0].case.case_id} cannot fit: GPU 1 would need 320 GiB for tensors and "
        "0.75 GiB for CUDA and NCCL, and has 80 GiB (gpu_memory_gb); 20 GPUs (10 may) would fit; "
        "nothing was submitted; --force submits it all the same"
    )


@pytest.mark.parametrize(
    ("name", "is_measured"),
    [
        ("nvidia_h100_80gb_hbm3", True),
        ("NVIDIA H200", True),
        ("gpu:h100", True),
        ("h100_nvl", True),
        ("h100-47", False),
        ("nvidia_h100_80gb_hbm3_1g.10gb", False),
        ("a100-40g", False),
        ("nvidia_gh200_480gb", False),
        ("", False),
    ],
)
def test_memory_besides_tensors_is_known_of_whole_h100s_and_h200s(name, is_measured):
    assert GpuSize(80 * GIB, "test", name).is_measured is is_measured


def test_of_other_gpus_only_tensors_count_and_the_plan_says_so():
    cases = planned({}, HUGE)
    size, beside = fit_lines(cases, fits_of(OTHER))
    assert size.endswith(": 1 fits, 1 cannot fit.")
    assert "of this GPU it is a guess, so only tensors count" in beside
    with pytest.raises(ConfigError, match="would need 320 GiB for tensors, and has 80 GiB"):
        refuse_what_cannot_fit(cases, fits_of(OTHER), lambda case: None)


def test_of_other_gpus_a_calibration_of_theirs_says_what_is_taken_besides(tmp_path):
    memory = tuple(
        MemoryBesideTorch(after=after, rank=rank, bytes=size * GIB + rank)
        for after, size in (("layers", 1), ("messages", 3), ("collectives", 4))
        for rank in range(2)
    )
    found = calibration(2, memory=memory)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / f"{found.case_id}.json").write_bytes(encode(found))
    fits = fits_of(OTHER, tmp_path)
    assert "this folder's calibrations" in fit_lines(planned(HUGE), fits)[1]
    pipeline = {"schedule": "1f1b", "micro_batches": 4}
    assert [fits.of(each.case).beside // GIB for each in planned({}, pipeline)] == [1, 3]
    assert fits_of(GpuSize(40 * GIB, "t", "a100-40g"), tmp_path).beside.calibrated == {}
    assert fits_of(SIZE, tmp_path).of(planned({})[0].case).beside == 767 * 2**20


def test_gpus_that_no_node_has_are_not_proposed():
    def why_not(case):
        return "a node has 8" if case.gpus > 8 else None

    with pytest.raises(ConfigError, match="; no more GPUs or micro-batches would do; nothing was"):
        refuse_what_cannot_fit(planned(HUGE), fits_of(SIZE), why_not)


def test_of_several_that_cannot_fit_one_is_named_and_the_others_counted():
    cases = planned(HUGE, HUGE | {"depth": 22}, HUGE | {"depth": 24}, {})
    with pytest.raises(ConfigError, match=r"cannot fit, nor can 2 more: GPU 1 "):
        refuse_what_cannot_fit(cases, fits_of(SIZE), lambda case: None)


def test_nothing_of_a_plan_that_cannot_fit_is_written(tmp_path):
    asked = order(tmp_path, HUGE, local(gpu_memory_gb=80))
    with pytest.raises(ConfigError, match="cannot fit"):
        launch(asked)
    assert not asked.store.folder.exists()


def test_a_dry_run_shows_the_plan_and_then_refuses_as_a_submission_would(tmp_path, capsys):
    with pytest.raises(ConfigError, match="would fit; nothing was submitted; --force"):
        show_dry_run(order(tmp_path, HUGE, local(gpu_memory_gb=80)))
    shown = capsys.readouterr().out
    assert "float32, sgd  320 GiB, cannot fit  run\n" in shown
    assert "Memory of the fullest GPU against 80 GiB (gpu_memory_gb): 1 cannot fit.\n" in shown


def test_a_refused_dry_run_has_its_scripts_too_and_says_how_to_leave_such_cases_out(
    slurm, tmp_path, capsys
):
    profile = Profile("mine", "c", "slurm", "cuda", gpu_memory_gb=80, submitit={"timeout_min": 60})
    axes = {"gpus": (2, 20), "dtype": ("float32", "tf32")}
    hint = "; add --set gpus=20 to leave out what cannot (2 of 4 run); nothing was submitted; "
    with pytest.raises(ConfigError, match=re.escape(hint)):
        show_dry_run(order(tmp_path, HUGE, profile, axes))
    shown = capsys.readouterr().out
    assert shown.count("#!/bin/bash") == 2
    assert shown.index("#!/bin/bash") < shown.index("Plan for profile")
    assert "At most 44.00 GPU-hours" in shown


def test_force_submits_what_cannot_fit(tmp_path, capsys):
    assert show_dry_run(order(tmp_path, HUGE, local(gpu_memory_gb=80), force=True)) == 0
    assert "320 GiB, cannot fit  run" in capsys.readouterr().out


def test_a_retry_of_what_was_forced_is_no_new_decision(tmp_path):
    """--watch --retries submits again by itself, without --force."""
    asked = order(tmp_path, HUGE, local(gpu_memory_gb=80), retries=1, by_itself=True)
    check_memory(asked, planned(HUGE))
    with pytest.raises(ConfigError, match="cannot fit"):
        check_memory(order(tmp_path, HUGE, local(gpu_memory_gb=80)), planned(HUGE))


def test_a_case_that_is_left_out_refuses_nothing(tmp_path):
    profile = local(gpu_memory_gb=80)
    assert show_dry_run(order(tmp_path, HUGE, profile, only=frozenset({"oom_gpu"}))) == 0


def test_a_plan_of_thousands_of_pipelines_follows_each_shape_once():
    made = [
        make_case({"depth": 24, "gpus": 4, "dim": dim, "batch_size": 4096, "schedule": "1f1b",
                   "micro_batches": 16, "repeat": repeat}, "t")
        for dim in range(16, 1016) for repeat in (1, 2)
    ]  # fmt: skip
    cases = [PlannedCase(case=case, grid="g") for case in made]
    fits = fits_of(SIZE)
    (line,) = fit_lines(cases, fits)
    assert line.endswith(": 2000 fit.")
    assert len(fits._known) == 1000  # a repeat takes what the first job does


# --- models of one's own ---

OWN = {"kind": "factory", "factory": "m.py:build", "sha256": "0" * 64, "depth": 2, "gpus": 1,
       "batch_size": 8}  # fmt: skip


def own(**keys):
    return make_case(OWN | keys, "t")


def leave_result(folder, model, *, emulated=False):
    """Write a result of which a job has measured these layers."""
    made = made_up.result(emulated=emulated, **OWN)
    store = Store(folder, "mine")
    store.prepare()
    store.result_path(own()).write_bytes(encode(msgspec.structs.replace(made, model=model)))


@pytest.mark.parametrize(
    ("keys", "emulated", "words"),
    [
        ({}, False, "0.13 GiB, fits"),
        ({"gpus": 2, "schedule": "1f1b", "micro_batches": 2, "batch_size": 16}, False, "0.11"),
        ({"batch_size": 16}, False, "about 0."),
        ({}, True, "about 0.13 GiB, fits"),
        ({"dtype": "bfloat16"}, False, "memory unknown"),
        ({"sha256": "1" * 64}, False, "memory unknown"),
        ({"recompute": "layers"}, False, "memory unknown"),
    ],
)
def test_a_model_of_ones_own_is_known_from_an_earlier_job(tmp_path, keys, emulated, words):
    model = linear_profile(make_case({"depth": 2, "gpus": 1, "dim": 2048, "batch_size": 8}, "t"))
    layers = [msgspec.structs.replace(one, parameters=2048**2 + 2048) for one in model.layers]
    model = msgspec.structs.replace(model, layers=tuple(layers))
    leave_result(tmp_path, model, emulated=emulated)
    fit = fits_of(SIZE, tmp_path).of(own(**keys))
    assert fit.words.startswith(words)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "0.13 GiB, fits"),
        ({"gpus": 2, "schedule": "1f1b", "micro_batches": 2, "batch_size": 16}, "0.11"),
        ({"gpus": 2, "schedule": "ddp", "batch_size": 32}, "about 0."),
        ({"gpus": 2, "schedule": "gpipe", "gradients": "fused"}, "memory unknown"),
        ({"args.width": 3}, "memory unknown"),
    ],
)
def test_a_model_of_ones_own_is_known_from_its_calibration(tmp_path, keys, words):
    model = linear_profile(make_case({"depth": 2, "gpus": 1, "dim": 2048, "batch_size": 8}, "t"))
    layers = [msgspec.structs.replace(one, parameters=2048**2 + 2048) for one in model.layers]
    model = msgspec.structs.replace(model, layers=tuple(layers))
    sizes = MeasuredSizes(gradients="separate", in_two_parts=True, model=model)
    kinds = calibration().calibration.kinds
    kinds = (*(msgspec.structs.replace(kind, layers=(n,)) for n, kind in enumerate(kinds[:2])),
             kinds[2])  # fmt: skip
    of_model = msgspec.structs.asdict(own(batch_size=16))
    of_model = {key: of_model[key] for key in of_model.keys() - {"gpus", "calibrates"}}
    made = calibration(sizes=(sizes,), kinds=kinds, **of_model)
    store = Store(tmp_path, "mine")
    store.prepare()
    store.result_path(made.case).write_bytes(encode(made))
    assert fits_of(SIZE, tmp_path).of(own(**keys)).words.startswith(words)


def test_what_is_no_result_is_no_measurement(tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    (store.folder / "factory-d2-g1-00000000.json").write_text("{broken")
    assert fits_of(SIZE, tmp_path).of(own()).words == "memory unknown"
