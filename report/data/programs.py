"""A program's run in the place of a measurement: its steps, and nothing that only a model has."""

from study.results.ceilings import Ceilings
from study.results.measurement import Measurement
from study.results.program import ProgramRun
from study.results.result import Placement, Transfers


def measurement_of(run: ProgramRun) -> Measurement:
    """Return the steps that a program said, or its wall time as one, as a measurement.

    Warm-up, phases and memory of tensors are the program's own business, and are not known.
    """
    return Measurement(
        step_times_s=run.step_times_s,
        stopped_by="steps",
        converged=False,
        median_ci_s=run.median_ci_s,
        warmup_steps=0,
        warmup_steady=None,
        forward_s=[],
        backward_s=[],
        optimizer_s=[],
        breakdown=None,
        first_loss=run.first_loss,
        per_gpu=[],
        shared_peak_allocated_bytes=None,
        shared_peak_reserved_bytes=None,
    )


def nothing_of_a_model() -> tuple[Placement, Transfers, Ceilings]:
    """Return what a program has no part of: no layer, and nothing that was seen to move.

    No column, answer or value of a program shows any of it.
    """
    return (
        Placement(gpu_of_layer=[], layers_per_gpu=[]),
        Transfers(
            to_calls_per_forward=None,
            moves_forward=0,
            moves_backward=0,
            bytes_forward=0,
            bytes_backward=0,
            moved_before_layers=[],
            by_pair=[],
        ),
        Ceilings(gemm=[], copies=[]),
    )
