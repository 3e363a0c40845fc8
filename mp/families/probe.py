"""Run a user's layers once, to see what they return, and that they draw the same each time."""

import hashlib
from collections.abc import Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from mp.activations import Activation, each_part
from mp.families.global_state import kept_state
from mp.families.outputs import check_output
from mp.families.user_code import UserCode
from mp.hardware.precision import converted
from mp.workload import Workload

ROWS = 2  # of a probe
ROWS_OF_CHECK = 4  # of each micro-batch there
MOST_FLOPS = 2e12  # of the check without a small model: some seconds of a CPU


def activations(model: Workload, code: UserCode, rows: int) -> list[Activation]:
    """Return tensors without data like each layer's input, then the output, in the case's dtype.

    Layers run without data where they can, which costs no time; those that need numbers run with
    them, on the CPU.

    Args:
        model: a user's.
        code: to run it within.
        rows: of the input.
    """
    try:
        return _run(model, code, rows, torch.device("meta"))
    except Exception:  # which is said, with the layer, if the layers fail with numbers, too
        return _run(model, code, rows, torch.device("cpu"))


def _run(model: Workload, code: UserCode, rows: int, device: torch.device) -> list[Activation]:
    x: Activation = model.cast(model.batch(rows)[0]).to(device)
    found = [each_part(x, _without_data)]
    with torch.no_grad():
        layers = enumerate(model.layers())
        with code.running("", model.case.seed) as doing, device:
            for number, layer in layers:
                doing.call = code.label(number)
                output = converted(layer, model.dtype, device)(x)
                x = check_output(output, rows, doing.call, code)
                found.append(each_part(x, _without_data))
    return found


def _without_data(x: torch.Tensor) -> torch.Tensor:
    return x.to("meta")


def check_size(model: Workload, code: UserCode) -> None:
    """Refuse a model that takes too long to check, and has no small one.

    Raises:
        CaseError: with the size, and what to add.
    """
    rows = ROWS_OF_CHECK * model.case.parts
    with FlopCounterMode(display=False) as counter:
        activations(model, code, ROWS)  # counted, so not one that was kept
    flops = 3 * counter.get_total_flops() / ROWS * rows  # backward is two products for each
    if flops > MOST_FLOPS:
        raise code.error(
            f"is too large for the check against the unsplit model, {flops / 1e12:.3g} TFLOP; "
            "return small = {...}, arguments that make a small model of as many layers, e.g. "
            '{"width": 64}'
        )


def check(model: Workload, code: UserCode) -> None:
    """Train one step of a small model in one piece, twice, and hold it against the contract.

    Raises:
        CaseError: a layer returns no tensor or other rows, changes global state, the loss is no
            finite number, or two calls with one seed draw other numbers.
    """
    if _digest(model) != _digest(model):
        raise code.error(
            "makes other weights or another batch in a second call with the same seed; draw from "
            "torch, random or numpy.random without seeds of your own"
        )
    x: Activation
    x, target = model.batch(ROWS)
    with code.running("", model.case.seed) as doing:
        for number, layer in enumerate(model.layers()):
            doing.call = code.label(number)
            with kept_state() as changes:
                output = layer(x)
            if changes.measured:
                raise code.error(
                    f"{doing.call}: its forward changes {', '.join(changes.measured)} in every "
                    "step; leave that out"
                )
            x = check_output(output, ROWS, doing.call, code)
    with code.running("loss"):
        loss = model.loss(x, target)
        is_finite = bool(torch.isfinite(loss))
    if not is_finite:
        raise code.error(f"loss: is {loss.item():g} for the first batch; it must be finite")
    if not loss.requires_grad:
        raise code.error("loss: has no gradient; no layer has a parameter to train")


def _digest(model: Workload) -> str:
    """Return a hash of all weights and of the batch."""
    sha256 = hashlib.sha256()
    for tensor in _numbers(model):
        sha256.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def _numbers(model: Workload) -> Iterator[torch.Tensor]:
    for layer in model.layers():
        yield from layer.parameters()
        yield from layer.buffers()
    yield from model.batch(ROWS)
