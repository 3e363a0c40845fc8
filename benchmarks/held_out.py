"""Steps of pipelines on several GPUs, predicted from results on one, beside what was measured.

    python benchmarks/held_out.py docs/example/results/h200

    python benchmarks/held_out.py docs/example/results/h200 --queues pair --slowdown 1

The folder holds linear stacks on 1 GPU under interleaved 1F1B and ZBV, at every number of
micro-batches, and any pipelines on more. Seconds of layers come from the 1-GPU results, those of
messages from the copies that each result measured. The slowing beside messages and the host's
times come from elsewhere and are not fitted here. Markdown on stdout.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.layer_seconds import Layer, layer_of, measurement_of
from benchmarks.step_errors import Error, bubbles_of, compare, summarize
from predict.orders.action import Kind
from predict.orders.lowering import programs
from predict.simulation.costs import Costs, Ending, Host, Link, Queues, slowed_alike
from predict.simulation.events import simulate
from predict.simulation.result import Simulated
from study.results.file import read_result
from study.results.result import Result
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.stages import chunks_of

# Fitted on two pipelines of 2 H100s of another host: notes of 2026-11-26.
SLOWDOWN = 1.35
HOST_ACTION_S, HOST_LAYER_S, GRADIENT, HOST_OPERATION_S = 337e-6, 50e-6, 1.5, 50e-6
IN_LOOPS = ("naive", "gpipe", "1f1b")  # of torch, where the host was never seen to be too slow


def main() -> None:
    """Print a row for each result on several GPUs, then the errors."""
    options = parse()
    print("| case | measured | ± | predicted | error | host share | bubbles | measured |")
    print("|---|---|---|---|---|---|---|---|")
    summarize([_show(result, step) for result, step in predictions(options)])


def predictions(options: argparse.Namespace) -> Iterator[tuple[Result, Simulated]]:
    """Yield the results of pipelines on several GPUs, with their simulated steps.

    Args:
        options: of the command line.
    """
    found = [read_result(path) for path in sorted(options.folder.glob("*-g*.json"))]
    measured = [r for r in found if r.measurement and r.measurement.breakdown and not r.emulated
                and r.case.kind == "linear" and SCHEDULES[r.case.schedule].is_pipeline]  # fmt: skip
    one = {(r.case.schedule, r.case.micro_batches): r for r in measured if r.case.gpus == 1}
    for result in sorted(measured, key=_order):
        if result.case.gpus > 1:
            layer = layer_of(one, result.case.micro_batches)
            yield result, predicted(result, layer, options)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queues", choices=get_args(Queues),
                        help="of messages; default: as the torch that ran has them")  # fmt: skip
    parser.add_argument("--slowdown", type=float, default=SLOWDOWN)
    parser.add_argument("--host-factor", type=float, default=1.0, help="on the host's times")
    return parser.parse_args(arguments)


def _order(result: Result) -> tuple[int, int, str]:
    return result.case.gpus, result.case.micro_batches, result.case.schedule


def predicted(result: Result, layer: Layer, options: argparse.Namespace) -> Simulated:
    """Return the simulated step of a result's case.

    Args:
        result: of which the case, the placement and the copies count.
        layer: seconds of its layers.
        options: of the command line.
    """
    case = result.case
    chunks, looped = chunks_of(case), case.schedule in IN_LOOPS
    assert result.placement is not None
    assert result.placement.stage_of_layer is not None
    stages = range(case.gpus * chunks)
    layers = [result.placement.stage_of_layer.count(stage) for stage in stages]
    kinds: tuple[Kind, ...] = ("forward", "backward")
    if case.schedule in IN_TWO_PARTS:
        kinds = ("forward", "input_gradient", "weight_gradient")
    work = {
        kind: [
            layer.work(n, kind, is_first=s == 0, is_last=s == stages[-1])
            for s, n in enumerate(layers)
        ]
        for kind in kinds
    }
    own = case.depth // case.gpus
    costs = Costs(
        work=work,
        link=_link(result, looped=looped),
        queues=options.queues or _queues(result),
        slowdown=slowed_alike(options.slowdown),
        host=Host() if looped else _host(layers, kinds, options.host_factor),
        endings=[Ending(own * layer.ending.scaling_s, 0.0, own * layer.ending.optimizer_s)]
        * case.gpus,
    )
    return simulate(programs(case.schedule, case.gpus, case.micro_batches, chunks), costs)


def _queues(result: Result) -> Queues:
    """Return the queues that torch had: up to 2.11 it put every message into one."""
    assert result.environment is not None
    version = result.environment.torch or ""
    return "rank" if version.startswith(("2.10.", "2.11.")) else "pair"


def _host(layers: list[int], kinds: tuple[Kind, ...], factor: float) -> Host:
    """Return the host's times for stages of so many layers."""
    action_s = {
        kind: [
            factor * (HOST_ACTION_S + HOST_LAYER_S * n * (1 if kind == "forward" else GRADIENT))
            for n in layers
        ]
        for kind in kinds
    }
    return Host(action_s=action_s, operation_s=factor * HOST_OPERATION_S)


def _link(result: Result, *, looped: bool) -> Link:
    """Return what a message takes: its bytes in torch's loops, from idle in its runtime.

    Which of the two fits which was seen in the notes' results of 4 GPUs, and is not understood.
    """
    assert result.ceilings is not None
    copies = result.ceilings.copies
    if looped:
        return Link(median(c.message_bytes / c.bandwidth_bytes_per_s for c in copies))
    return Link(median(c.message_s for c in copies))


def _show(result: Result, found: Simulated) -> Error:
    error, case = compare(result, found), result.case
    bubbles = (found.bubbles, bubbles_of(result))
    shown = [" / ".join(f"{100 * share:.1f}" for share in each) for each in bubbles]
    print(
        f"| {case.schedule}, {case.micro_batches} micro-batches, {case.gpus} GPUs "
        f"| {1e3 * median(measurement_of(result)[0].step_times_s):.2f} ms "
        f"| {100 * error.interval:.1f} % | {1e3 * found.step_s:.2f} ms "
        f"| {100 * error.step:+.1f} % | {100 * error.host:.0f} % | {shown[0]} | {shown[1]} |"
    )
    return error


if __name__ == "__main__":
    main()
