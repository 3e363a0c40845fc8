"""Memory of a backward in two parts: first the gradient of the input, later the weights'.

Run by the functions of torch.distributed.pipelining that its zero-bubble schedules run.
"""

from torch.distributed.pipelining._backward import stage_backward_input, stage_backward_weight

from mp.profiling.live_bytes import LiveBytes, storage_of
from mp.profiling.subject import Subject, run_forward


def measure_two_parts(subject: Subject, live: LiveBytes) -> dict[str, int | bool]:
    """Return the fields of a footprint that this backward has.

    Args:
        subject: a layer with parameters, whose input has a gradient.
        live: counts.
    """
    before = live.now
    end, (scalar,), forward = run_forward(subject, live, holds_input=False)
    made: list[int] = []
    live.begin()
    assert end.grad_fn is not None, "the input has a gradient"
    handle = end.grad_fn.register_hook(lambda gradients, _: made.append(storage_of(gradients[0])))
    _, groups = stage_backward_input([end], None, [scalar], iter(subject.parameters))
    input_peak = live.rise()
    handle.remove()
    keeps_gradient = live.has(made[0])
    kept = forward["kept_bytes"]
    deferred = live.now - before - kept - 3 * scalar.nbytes
    deferred -= forward["output_bytes"] * (keeps_gradient + forward["keeps_output"])
    return {
        "deferred_bytes": max(0, deferred),
        "keeps_output_gradient": keeps_gradient,
        "input_peak_bytes": input_peak,
        "weight_peak_bytes": _weight_peak(subject, live, groups),
    }


def _weight_peak(subject: Subject, live: LiveBytes, groups: list[dict[str, object]]) -> int:
    """Return the bytes that the weights' gradients take at most, where others are there already."""
    live.begin()
    stage_backward_weight(iter(subject.parameters), groups)
    return live.rise()
