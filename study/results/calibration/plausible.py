"""Find what makes a calibration impossible, beyond the types of its numbers."""

from collections.abc import Iterator

from msgspec.structs import replace

from study.case import Case
from study.results.calibration.host import HostRun
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing
from study.results.model_check import LONGEST_S, find_model_problem
from study.text import count_of


def find_calibration_problem(case: Case, found: Calibration) -> str | None:
    """Return what is impossible about a calibration, as the end of a sentence; None if nothing is.

    Args:
        case: that was calibrated.
        found: what it measured.
    """
    if found.gpus != case.gpus or not 1 <= found.nodes <= case.gpus:
        its = f"{count_of(found.gpus, 'GPU')} on {count_of(found.nodes, 'node')}"
        return f"is a calibration of {its}, and its case has {count_of(case.gpus, 'GPU')}"
    for timing in timings(found):
        if not 0 < timing.low_s <= timing.seconds <= timing.high_s or timing.count < 1:
            return f"has a time of {timing.seconds} s that does not lie between its quartiles"
        if timing.high_s > LONGEST_S:
            return f"has a time of {timing.high_s} s, which nothing takes"
    for sizes in found.sizes:
        of_rows = replace(case, batch_size=max(1, sizes.model.rows))
        if (problem := find_model_problem(of_rows, sizes.model)) is not None:
            return problem
    layers = [number for kind in found.kinds for number in kind.layers]
    if found.kinds and sorted(layers) != list(range(case.layers)):
        return "has kinds of layers that are not those of its model"
    timed = (found.layers, found.each_gpu, found.alternating, found.loaded, found.bursts,
             found.beside)  # fmt: skip
    if any(entry.kind >= len(found.kinds) for part in timed for entry in part):
        return "has times of a kind of layer that it does not have"
    ranks = [*(t.rank for t in found.each_gpu), *(t.rank for t in found.alternating)]
    if any(rank >= case.gpus for rank in ranks):
        return "has times of a GPU that it does not have"
    if any(not time.burst_s for time in found.bursts):
        return "has a burst that takes no time"
    sent = (found.messages, found.collectives, found.transfers, found.alternating)
    if any(not entry.bytes for part in sent for entry in part):
        return "has a message of no bytes"
    return next(filter(None, (_problem_of_host(case, run) for run in found.host)), None)


def _problem_of_host(case: Case, run: HostRun) -> str | None:
    if run.gpus > case.gpus or min(run.step_times_s) <= 0:
        return "has a step of the host that takes no time, or of GPUs that it does not have"
    has_blocks = case.layers > case.depth
    if run.kind != "linear" and not (run.kind == case.kind and has_blocks):
        return f"has a step of the host with layers of {run.kind}, which are not run there"
    return None


def timings(found: Calibration) -> Iterator[Timing]:
    """Yield all that was timed."""
    yield from found.layers
    yield from found.each_gpu
    yield from found.alternating
    yield from found.updates
    yield from found.loaded
    yield from found.bursts
    yield from found.messages
    yield from found.collectives
    yield from found.beside
    yield from found.transfers
    for run in found.host:
        yield from run.actions
