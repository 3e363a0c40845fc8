"""Memory that a layer takes in forward and in backward, and what it keeps in between."""

from dataclasses import dataclass

import torch

from mp.profiling.live_bytes import LiveBytes
from mp.profiling.subject import Subject, run_forward


@dataclass(frozen=True)
class Footprint:
    """Bytes of one layer or of the loss; study/results/layers.py says what each is."""

    output_bytes: int
    kept_bytes: int
    keeps_input: bool
    keeps_output: bool
    forward_peak_bytes: int
    backward_peak_bytes: int
    again_peak_bytes: int
    received_backward_peak_bytes: int
    received_again_peak_bytes: int
    deferred_bytes: int | None = None
    keeps_output_gradient: bool | None = None
    input_peak_bytes: int | None = None
    weight_peak_bytes: int | None = None
    input_again_peak_bytes: int | None = None
    later_gradient_bytes: int | None = None
    keeps_input_later: bool | None = None


def measure_footprint(subject: Subject, *, in_two_parts: bool) -> Footprint:
    """Run forward and backward, also with gradients there, and note what lives when.

    Args:
        subject: the layer or the loss, which has run before.
        in_two_parts: whether to run backward in two parts, too, as zero-bubble schedules do.
    """
    subject.drop_gradients()
    with LiveBytes(subject.device, [*subject.parameters, *subject.buffers]) as live:
        _, _, found = run_forward(subject, live, holds_input=False)
        for received in ("", "received_"):
            subject.drop_gradients()
            for times in ("backward", "again"):
                peak = _backward_peak(subject, live, is_received=bool(received))
                found[f"{received}{times}_peak_bytes"] = peak
        if in_two_parts and subject.store is not None:
            from mp.profiling.put_off import measure_put_off

            found |= measure_put_off(subject, live)
        elif in_two_parts and subject.has_input_gradient and subject.parameters:
            from mp.profiling.two_parts import measure_two_parts  # takes a second to import

            found |= measure_two_parts(subject, live)
    subject.drop_gradients()
    return Footprint(**found)


def _backward_peak(subject: Subject, live: LiveBytes, *, is_received: bool) -> int:
    """Return the bytes that backward has at most beyond what forward kept.

    Args:
        subject: the layer or the loss.
        live: counts.
        is_received: whether the output's gradient stays in a buffer; it does not count.
    """
    end, holder, _ = run_forward(subject, live, holds_input=subject.holds_input)
    if not end.requires_grad:
        return 0
    received: list[torch.Tensor] = []
    if is_received:
        assert end.grad_fn is not None, "it has a gradient"
        end.grad_fn.register_hook(lambda made, _: received.append(made[0]))
    live.begin()
    with subject.collecting():
        end.backward()
    rise = live.rise() - sum(gradient.nbytes for gradient in received)
    del holder
    return rise
