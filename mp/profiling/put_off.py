"""Memory of a backward whose linear layers put their weight gradients off, in a store."""

import torch

from mp.profiling.live_bytes import LiveBytes, storage_of
from mp.profiling.subject import Subject, run_forward


def measure_put_off(subject: Subject, live: LiveBytes) -> dict[str, int | bool]:
    """Return the fields of a footprint that this backward has.

    Args:
        subject: a layer, whose weight gradients its store takes over.
        live: counts.
    """
    found, _ = _run(subject, live, holds_input=True)
    alone, _ = _run(subject, live, holds_input=False)
    waits = alone["deferred_bytes"] - found["deferred_bytes"]
    again, weight_peak = _run(subject, live, holds_input=True, is_first=False)
    peaks = {
        "input_again_peak_bytes": again["input_peak_bytes"],
        "weight_peak_bytes": weight_peak,
    }
    return found | peaks | {"keeps_input_later": waits > 0}


def _run(
    subject: Subject, live: LiveBytes, *, holds_input: bool, is_first: bool = True
) -> tuple[dict[str, int | bool], int]:
    """Run forward and both parts; return what was seen of the first, and the peak of the second.

    Args:
        subject: the layer.
        live: counts.
        holds_input: whether the input lives on; then it does not count as what waits.
        is_first: whether no gradients are there.
    """
    store = subject.store
    assert store is not None, "its gradients are fused"
    if is_first:
        subject.drop_gradients()
    before = live.now
    end, holder, forward = run_forward(subject, live, holds_input=holds_input)
    if not end.requires_grad:
        return {"deferred_bytes": 0, "later_gradient_bytes": 0, "input_peak_bytes": 0}, 0
    made: list[int] = []
    assert end.grad_fn is not None, "it has a gradient"
    handle = end.grad_fn.register_hook(lambda gradients, _: made.append(storage_of(gradients[0])))
    live.begin()
    with store.collecting(0, later=True):
        end.backward()
    found: dict[str, int | bool] = {"input_peak_bytes": live.rise()}
    handle.remove()
    del end
    keeps_gradient = live.has(made[0])
    at_once = _gradient_bytes(subject)
    scalar = holder[-1]
    held = sum(part.untyped_storage().nbytes() for part in holder)
    held += 0 if scalar.grad is None else scalar.grad.nbytes
    waiting = live.now - before - held - at_once * is_first
    found["deferred_bytes"] = max(0, waiting - keeps_gradient * forward["output_bytes"])
    found["keeps_output_gradient"] = keeps_gradient
    live.begin()
    store.add(0)
    weight_peak = live.rise()
    found["later_gradient_bytes"] = _gradient_bytes(subject) - at_once
    return found, weight_peak


def _gradient_bytes(subject: Subject) -> int:
    gradients = [p.grad for p in subject.parameters if isinstance(p.grad, torch.Tensor)]
    return sum(gradient.nbytes for gradient in gradients)
