"""Which calibration a prediction is made from, and every reason for which there is none."""

import msgspec
import pytest

from predict.costs.refusal import Unpredictable
from predict.forecast.intervals import Residuals
from predict.forecast.matching import Known
from predict.forecast.predict import Predictor
from predict.memory.fit import Layers
from study.results.calibration.layers import BurstTime
from study.results.result import CaseFailure
from study.storage.prediction import Prediction
from study.validation import make_case
from tests.predict.made_up_calibration import calibration, case, loaded

LATER = {"finished_at": "2030-01-02T10:00:00.000+00:00"}


def predicted(made, *results, nodes=1, newest=None, device="auto", gpu_type=""):
    known = Known(tuple(results), newest, device, gpu_type=gpu_type)
    return Predictor(known, Residuals(), lambda case: nodes, lambda case: Layers()).of(made)


def both(**changes):
    return calibration(**changes), calibration(2, **changes)


def refusal(made, *results, **settings) -> Unpredictable:
    found = predicted(made, *results, **settings)
    assert isinstance(found, Unpredictable), found
    return found


def gpu(**changes):
    """The GPUs of a calibration, with some fields of them changed."""
    its = calibration(2).environment.gpus
    return [msgspec.structs.replace(each, **changes) for each in its]


def failed(gpus):
    return calibration(gpus, outcome="timeout", error=CaseFailure(type="T", message="out of time"))


def hot():
    (time,) = loaded({1.0: 1.0})
    return msgspec.structs.replace(time, throttle_reasons=("hw_thermal_slowdown",))


def hot_burst():
    return BurstTime(**msgspec.structs.asdict(hot()), burst_s=0.2)


GPT = {"depth": 4, "kind": "gpt", "batch_size": 8, "micro_batches": 8, "gpus": 2,
       "schedule": "gpipe", "dtype": "bfloat16"}  # fmt: skip
OWN = {"kind": "factory", "factory": "models/a.py:build", "depth": 8, "args": ()}
# A case, the calibrations that there are, and what is said.
REFUSED = {
    "no calibration": (case(), (), "no calibration of one GPU is there"),
    "one GPU alone": (case(), (calibration(),), "no calibration of two GPUs is there"),
    "another kind": (make_case(GPT, "test"), both(), "kind: gpt is not calibrated"),
    "other sizes": (case(dim=512), both(), "dim: 512 is not calibrated (dim: 1024 is)"),
    "another dtype": (case(dtype="float32"), both(), "dtype: float32 is not calibrated"),
    "TF32": (case(dtype="tf32"), both(), "dtype: tf32 is not calibrated"),
    "another optimizer": (case(optimizer="adam"), both(), "optimizer: adam is not calibrated"),
    "recomputed layers": (case(recompute="layers"), both(), "recompute: layers is not calibrated"),
    "another file": (case(**OWN, sha256="a" * 64), both(**OWN, sha256="b" * 64), "has changed"),
    "another depth": (
        case(**OWN | {"sha256": "a" * 64, "depth": 9}),
        both(**OWN, sha256="a" * 64),
        "depth: 9 is not calibrated",
    ),
    "interrupted": (case(), (failed(1), failed(2)), "was interrupted (out of time)"),
    "emulated": (case(), both(emulated=True), "is emulated"),
    "heat": (case(), (calibration(loaded=(hot(),)), calibration(2)), "hw_thermal_slowdown"),
    "heat in a burst": (
        case(),
        (calibration(bursts=(hot_burst(),)), calibration(2)),
        "hw_thermal_slowdown",
    ),
    "no loss": (
        case(),
        (calibration(kinds=calibration().calibration.kinds[:2]), calibration(2)),
        "the loss was not calibrated",
    ),
    "other rows": (case(batch_size=777 * 8), both(), "of 777 rows are not calibrated (512, "),
    "another GPU": (
        case(),
        (calibration(), calibration(2, gpus=gpu(name="A100"))),
        "differ in GPU (NVIDIA H100 and A100)",
    ),
    "another torch": (case(), (calibration(), calibration(2, torch="2.11.0")), "differ in torch"),
    "another driver": (case(), (calibration(), calibration(2, driver="1")), "differ in driver"),
    "another NCCL": (case(), (calibration(), calibration(2, nccl="2.1")), "differ in NCCL"),
    "TF32 allowed": (
        case(dtype="float32"),
        (calibration(dtype="float32"), calibration(2, dtype="float32", tf32=True)),
        "differ in TF32",
    ),
    "power limit": (
        case(),
        (calibration(), calibration(2, gpus=gpu(power_limit_w=350.0))),
        "differ in power limit (W) (700.0 and 350.0)",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line_with_the_command_that_helps(reason):
    made, results, said = REFUSED[reason]
    line = refusal(made, *results).line("python submit.py --grid calibration --for g")
    assert said in line
    assert "; run python submit.py --grid calibration --for g" in line
    assert "\n" not in line


def test_several_nodes_need_a_link_that_was_calibrated_between_nodes():
    made = case(gpus=4)
    assert "no link between nodes" in refusal(made, *both(), nodes=2).why
    found = predicted(made, *both(), calibration(2, 2), nodes=2)
    assert isinstance(found, Prediction)
    assert len(found.calibrations) == 3
    assert found.labels == ("extrapolated: 4 GPUs, seen 2",)
    more = predicted(made, *both(), calibration(2, 2), nodes=4)
    assert more.labels[-1] == "extrapolated: 4 nodes, of which one link was timed"


def test_a_pipeline_of_one_gpu_takes_its_host_times_from_a_pair_where_there_is_one():
    alone, pair = calibration(host=()), calibration(2)
    made = case(gpus=1)
    assert predicted(made, alone).host_share is None
    found = predicted(made, alone, pair)
    assert found.host_share > 0
    assert len(found.calibrations) == 2
    other = predicted(made, alone, calibration(2, torch="2.11.0"))
    assert other.host_share is None
    naive = predicted(case(gpus=1, schedule="naive", micro_batches=1), alone, pair)
    assert len(naive.calibrations) == 1


def test_tensor_parallelism_needs_an_all_reduce_that_was_timed():
    made = case(schedule="tensor", micro_batches=1)
    results = calibration(), calibration(2, collectives=())
    assert "no all-reduce was calibrated" in refusal(made, *results).why


def test_a_cuda_graph_is_predicted_from_the_calibration_of_eager_steps():
    graph = predicted(case(execution="cuda_graph"), *both())
    assert graph.host_share == 0
    assert graph.step_s <= predicted(case(), *both()).step_s


def test_jobs_that_ask_for_another_gpu_are_not_predicted():
    said = refusal(case(), *both(), gpu_type="a100-40g").why
    assert said.endswith("is of NVIDIA H100, and gpu_request asks for a100-40g")


@pytest.mark.parametrize("gpu_type", ["", "nvidia_h100_80gb_hbm3", "3g.40gb", "fast"])
def test_a_type_that_names_the_same_gpu_or_no_known_one_is_predicted(gpu_type):
    assert isinstance(predicted(case(), *both(), gpu_type=gpu_type), Prediction)


def test_a_newer_result_of_another_machine_makes_a_calibration_useless():
    newer = calibration(2, torch="2.14.0", **LATER)
    said = refusal(case(), *both(), newest=newer).why
    assert "and the newer result" in said
    assert "torch (2.13.0 and 2.14.0)" in said
    tf32 = calibration(2, dtype="tf32", tf32=True, **LATER)  # as any such case has it
    assert isinstance(predicted(case(), *both(), newest=tf32), Prediction)
    same_dtype = calibration(2, tf32=True, **LATER)  # of bfloat16, whose products are never TF32
    assert isinstance(predicted(case(), *both(), newest=same_dtype), Prediction)
    older = calibration(2, torch="2.12.0", finished_at="2029-01-01T10:00:00.000+00:00")
    assert isinstance(predicted(case(), *both(), newest=older), Prediction)


def test_a_calibration_on_the_cpu_is_for_profiles_that_run_there():
    on_cpu = both(emulated=True, gpus=[])
    assert isinstance(predicted(case(), *on_cpu, device="cpu"), Prediction)
    assert isinstance(predicted(case(), *on_cpu, device="auto"), Prediction)
    assert "is emulated" in refusal(case(), *on_cpu, device="cuda").why
    assert "ran on a GPU" in refusal(case(), *both(), device="cpu").why


UNTIMED = {
    "forward": (case(), "the forward of layer 0 was not calibrated"),
    "backward_first": (
        case(), "the backward of layer 0 for the first micro-batch was not calibrated",
    ),
    "backward_later": (
        case(), "the backward of layer 0 for later micro-batches was not calibrated",
    ),
    "weight_first": (
        case(schedule="zbv"),
        "the weight gradient of layer for the first micro-batch was not calibrated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", UNTIMED)
def test_an_action_that_was_not_calibrated_is_named_in_words(action):
    made, said = UNTIMED[action]
    layers = tuple(t for t in calibration().calibration.layers if t.action != action)
    assert refusal(made, calibration(layers=layers), calibration(2)).why == said


def test_without_micro_batches_none_is_named():
    layers = tuple(t for t in calibration().calibration.layers if t.action != "backward_first")
    naive = case(gpus=1, schedule="naive", micro_batches=1)
    said = refusal(naive, calibration(layers=layers)).why
    assert said == "the backward of layer 0 was not calibrated"


def test_one_row_is_no_rows():
    assert "of 1 row are not calibrated" in refusal(case(batch_size=8), *both()).why


def test_the_newest_calibration_that_fits_is_taken():
    new = calibration(updates=calibration().calibration.updates, batch_size=4096, **LATER)
    found = predicted(case(), calibration(), new, calibration(2))
    assert found.calibrations[0].startswith(new.case_id)
    of_other_rows = msgspec.structs.replace(new.calibration, layers=())
    useless = msgspec.structs.replace(new, calibration=of_other_rows)
    found = predicted(case(), calibration(), useless, calibration(2))
    assert found.calibrations[0].startswith(calibration().case_id)


def test_a_part_that_no_time_was_left_for_asks_for_more_time():
    layers = tuple(t for t in calibration().calibration.layers if t.kind != 2)
    late = "No time was left for loss with 1024 rows, separate, unthrottled."
    results = calibration(layers=layers, left_out=(late,)), calibration(2)
    line = refusal(case(), *results).line("submit.py")
    assert "loss was not calibrated" in line
    assert "unthrottled); run submit.py --set time_limit_s=" in line
    other = "No time was left for the host's time of gpipe."
    results = calibration(layers=layers, left_out=(other,)), calibration(2)
    assert "gpipe" not in refusal(case(), *results).why
    late = "No time was left for the optimizer with 8 layers."
    results = calibration(updates=(), left_out=(late,)), calibration(2)
    assert refusal(case(), *results).remedy == "calibrate longer"
