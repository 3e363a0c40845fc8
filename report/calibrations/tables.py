"""Tables of what calibrations measured: medians, with the number of what was timed alike."""

from collections.abc import Callable, Iterable, Sequence

from report.data.clocks import reason_words
from report.document import Table
from report.wording.units import UNKNOWN, data_size, number, percent, seconds
from study.calibration.grid import NAME
from study.models import KINDS
from study.results.calibration.layers import BurstTime, LayerAction, LayerKind, LoadedTime
from study.results.calibration.links import AlternatingTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing
from study.results.result import Result
from study.schedules import SCHEDULES
from study.text import one_line

Found = Sequence[tuple[Result, Calibration]]
ACTIONS: tuple[tuple[LayerAction, str], ...] = (
    ("forward", "forward"),
    ("backward_first", "backward, first"),
    ("backward_later", "backward, later"),
    ("input_gradient", "input gradient"),
    ("weight_first", "weight gradient, first"),
    ("weight_later", "weight gradient, later"),
)
PACES = ("unthrottled", "sustained")
WAYS = ("from idle", "in a row", "relay", "exchange")
BESIDE = ("pending receive", "receive", "send", "all_reduce")
OF_HOST = ("forward", "backward", "input_gradient", "weight_gradient", "scaling", "optimizer",
           "before", "first", "between")  # fmt: skip


def layers(found: Found) -> Table:
    """Return a row for each kind of layer, size of micro-batch, way of gradients and pace."""
    rows = []
    for result, its in found:
        groups = _grouped(
            ((t.kind, t.rows, t.gradients, t.shares, t.pace), t.action, t) for t in its.layers
        )
        for (kind, count, gradients, shares, pace), times in groups.items():
            name = _name(its.kinds[kind]) + (f", 1 of {shares} shares" if shares > 1 else "")
            cells = [_seconds(times.get(action)) for action, _ in ACTIONS]
            rows.append([_id(result), name, str(count), str(gradients), str(pace), *cells])
    heads = ["calibration", "layer", "rows", "gradients", "pace", *(head for _, head in ACTIONS)]
    return Table(heads, rows, caption="Seconds of one layer with one micro-batch")


def updates(found: Found) -> Table:
    """Return a row for each update of parameters."""
    rows = [
        [_id(result), t.action, data_size(t.bytes), str(t.tensors), t.pace, seconds(t.seconds)]
        for result, its in found
        for t in its.updates
    ]
    heads = ["calibration", "update", "parameters", "tensors", "pace", "time"]
    return Table(heads, rows, caption="Optimizer, and scaling of gradients")


def loaded(found: Found) -> Table:
    """Return a row for each share of the time in which a GPU computes, and for each burst."""
    rows = [
        [
            _id(result),
            percent(t.busy_share),
            _pass(its, t),
            seconds(t.seconds),
            UNKNOWN if not isinstance(t, BurstTime) else seconds(t.burst_s),
            UNKNOWN if t.sm_clock_hz is None else f"{number(t.sm_clock_hz / 1e9)} GHz",
            UNKNOWN if t.power_w is None else f"{number(t.power_w)} W",
            ", ".join(dict.fromkeys(map(_reason, t.throttle_reasons or ()))) or UNKNOWN,
        ]
        for result, its in found
        for t in its.under_load
    ]
    heads = ["calibration", "computes", "layers", "forward and backward", "at once", "clock",
             "power", "throttle reasons"]  # fmt: skip
    return Table(heads, rows, caption="Layers on a GPU that computes for a part of the time")


def host(found: Found) -> Table:
    """Return a row for each run of tiny layers: the host's time of each action.

    What they are layers of is a column where it differs, and else part of the caption.
    """
    kinds = {run.kind: KINDS[run.kind].label for _, its in found for run in its.host}
    of_kind, is_told = f" ({', '.join(kinds.values())})", len(kinds) > 1
    rows = []
    for result, its in found:
        for run in its.host:
            by_kind = {action.kind: action for action in run.actions}
            sizes = [str(run.gpus), str(run.micro_batches), str(run.layers_per_gpu)]
            step_s = sorted(run.step_times_s)[len(run.step_times_s) // 2]
            cells = [_seconds(by_kind.get(kind)) for kind in OF_HOST]  # type: ignore[call-overload]
            words = [kinds[run.kind], run.gradients] if is_told else [run.gradients]
            cells = [_schedule(run.schedule), *words, *sizes, *cells, seconds(step_s)]
            rows.append([_id(result), *cells])
    heads = ["calibration", "schedule", *(["layers of"] if is_told else []), "gradients", "GPUs",
             "micro-batches", "layers a GPU", *(kind.replace("_", " ") for kind in OF_HOST),
             "step"]  # fmt: skip
    caption = f"Time of the host in each action, with tiny layers{'' if is_told else of_kind}"
    return Table(heads, rows, caption)


def messages(found: Found) -> Table:
    """Return a row for each size of message."""
    rows = []
    for result, its in found:
        groups = _grouped(((m.bytes, m.nodes), m.way, m) for m in its.messages)
        for (size, nodes), times in groups.items():
            cells = [_seconds(times.get(way)) for way in WAYS]
            rows.append([_id(result), data_size(size), str(nodes), *cells])
    heads = ["calibration", "message", "nodes", *WAYS]
    return Table(heads, rows, caption="Messages between two GPUs")


def collectives(found: Found) -> Table:
    """Return a row for each operation and size."""
    rows = []
    for result, its in found:
        groups = _grouped(((c.operation, c.gpus, c.nodes, c.bytes), c.way, c)
                          for c in its.collectives)  # fmt: skip
        for (operation, gpus, nodes, size), times in groups.items():
            cells = [_seconds(times.get(way)) for way in WAYS[:2]]
            name = operation.replace("_", "-")
            rows.append([_id(result), name, str(gpus), str(nodes), data_size(size), *cells])
    heads = ["calibration", "collective", "GPUs", "nodes", "size", *WAYS[:2]]
    return Table(heads, rows, caption="Collectives")


def beside(found: Found) -> Table:
    """Return a row for each size of micro-batch: how many times as long layers take."""
    rows = []
    for result, its in found:
        groups = _grouped(((t.kind, t.rows, t.action), t.beside, t) for t in its.beside)
        for (kind, count, action), times in groups.items():
            alone = times.get("nothing")
            cells = [_factor(times.get(name), alone) for name in BESIDE]
            words = [_name(its.kinds[kind]), str(count), action.partition("_")[0]]
            rows.append([_id(result), *words, _seconds(alone), *cells])
    heads = ["calibration", "layer", "rows", "action", "alone",
             *(name.replace("_", "-") for name in BESIDE)]  # fmt: skip
    return Table(heads, rows, caption="Layers beside a transfer, as a multiple of alone")


def each_gpu(found: Found) -> Table:
    """Return a row for each action on each GPU of a job."""
    rows = []
    for result, its in found:
        groups = _grouped(((t.rank, t.kind, t.rows, t.action), t.pace, t) for t in its.each_gpu)
        for (rank, kind, count, action), times in groups.items():
            words = [str(rank), _name(its.kinds[kind]), str(count), action.replace("_", " ")]
            cells = [_seconds(times.get(pace)) for pace in PACES]
            rows.append([_id(result), *words, *cells])
    heads = ["calibration", "GPU", "layer", "rows", "action", *PACES]
    return Table(heads, rows, caption="Layers on each GPU, all at once")


def alternating(found: Found) -> Table:
    """Return a row for each GPU that computed layers between all-reduces."""
    rows = [
        [
            _id(result),
            str(t.rank),
            _pass(its, t),
            percent(t.busy_share),
            data_size(t.bytes),
            seconds(t.seconds),
        ]
        for result, its in found
        for t in its.alternating
    ]
    heads = ["calibration", "GPU", "layers", "computes", "reduced each time",
             "forward and backward of a layer"]  # fmt: skip
    return Table(heads, rows, caption="Layers between all-reduces")


def transfers(found: Found) -> Table:
    """Return a row for each transfer: seconds with layers beside it, and alone."""
    rows = []
    for result, its in found:
        groups = _grouped(((t.direction, t.rows, t.bytes), "shared" if t.layers_s else "alone", t)
                          for t in its.transfers)  # fmt: skip
        for (direction, count, size), times in groups.items():
            shared = times.get("shared")
            layers_s = seconds(getattr(shared, "layers_s", None))
            cells = [_seconds(times.get("alone")), _seconds(shared), layers_s]
            rows.append([_id(result), direction, data_size(size), str(count), *cells])
    heads = ["calibration", "transfer", "size", "rows of layers", "alone", "beside layers",
             "layers take"]  # fmt: skip
    return Table(heads, rows, caption="Transfers while layers are computed")


TABLES: tuple[Callable[[Found], Table], ...] = (
    layers, each_gpu, alternating, updates, loaded, host, messages, beside, transfers, collectives,
)  # fmt: skip


def _grouped(entries: Iterable[tuple[tuple, str, Timing]]) -> dict[tuple, dict[str, Timing]]:  # type: ignore[type-arg]
    found: dict[tuple, dict[str, Timing]] = {}  # type: ignore[type-arg]
    for key, column, timing in entries:
        found.setdefault(key, {})[column] = timing
    return found


def _id(result: Result) -> str:
    """Return the id without its first word, which the heading of the column has."""
    return result.case_id.removeprefix(f"{NAME}-")


def _schedule(name: str) -> str:
    return SCHEDULES[name].label if name in SCHEDULES else one_line(name)


def _reason(reason: str) -> str:
    return one_line(reason_words(reason))


def _pass(calibration: Calibration, time: LoadedTime | AlternatingTime) -> str:
    """Return `4 × layer 1 and 22 more like it, 4096 rows`: what was run one after another."""
    return f"{time.layers} × {_name(calibration.kinds[time.kind])}, {time.rows} rows"


def _name(kind: LayerKind) -> str:
    count = len(kind.layers)
    return one_line(kind.name) + (f" and {count - 1} more like it" if count > 1 else "")


def _seconds(timing: Timing | None) -> str:
    return seconds(None if timing is None else timing.seconds)


def _factor(timing: Timing | None, alone: Timing | None) -> str:
    if timing is None or alone is None:
        return UNKNOWN
    return number(timing.seconds / alone.seconds)
