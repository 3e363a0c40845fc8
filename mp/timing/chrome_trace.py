"""The timeline as a Chrome trace, which ui.perfetto.dev and chrome://tracing open.

Format: Trace Event Format (Google, 2016). A process for each GPU with a track for compute and one
for transfers; an arrow for each pass of the baton; the bytes on their way as a counter.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mp.timing.timeline import Span, Timeline, dependencies
from study.case import Case
from study.stages import replica_of
from study.storage.files import write_atomically

COMPUTE, TRANSFER = 0, 1
TRACKS = {COMPUTE: "compute", TRANSFER: "transfer"}
PAUSE_S = 1e-4  # between steps, which are recorded one by one
Event = dict[str, Any]


def write_trace(
    path: Path, timelines: list[Timeline], case: Case, devices: list[str], emulated: bool
) -> None:
    """Write the steps one after another.

    Args:
        path: of the file.
        timelines: of the steps.
        case: the case.
        devices: the name of each GPU's real device.
        emulated: True where several GPUs share one.

    Raises:
        OSError: the file cannot be written.
    """
    events = [*_names(case, devices, emulated), *_steps(timelines)]
    about = {"case": case.as_dict(), "case_id": case.case_id, "emulated": emulated}
    trace = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}
    write_atomically(path.resolve(), msgspec.json.encode(trace), durable=False)


def _names(case: Case, devices: list[str], emulated: bool) -> Iterator[Event]:
    for gpu, device in enumerate(devices):
        of = f", replica {replica_of(case, gpu)}" if case.data_parallel > 1 else ""
        name = f"GPU {gpu}{of} ({'emulated on ' if emulated else ''}{device})"
        yield _meta("process_name", gpu, name=name)
        yield _meta("process_sort_index", gpu, sort_index=gpu)
        for track, label in TRACKS.items():
            yield _meta("thread_name", gpu, track, name=label)
            yield _meta("thread_sort_index", gpu, track, sort_index=track)


def _meta(what: str, gpu: int, track: int = 0, **args: object) -> Event:
    return {"ph": "M", "name": what, "pid": gpu, "tid": track, "args": args}


def _steps(timelines: list[Timeline]) -> Iterator[Event]:
    start_s = 0.0
    for number, timeline in enumerate(timelines):
        for span in timeline.spans:
            yield _slice(span, start_s, number)
            if span.number is not None:
                yield from _pass(span, start_s, number)
        yield from _hand_overs(timeline, start_s, number)
        start_s += max(timeline.step_s, *timeline.ends_s) + PAUSE_S


def _slice(span: Span, start_s: float, step: int) -> Event:
    args: dict[str, object] = {"step": step}
    name: str = span.kind
    if span.peer is not None:
        args |= {"peer": f"GPU {span.peer}"}
    if span.number is not None:
        args |= {"bytes": span.bytes}
    if span.stage is not None:
        args |= {"stage": span.stage, "micro_batch": span.micro_batch}
        name = f"{span.kind} {span.micro_batch}"
    if span.operation is not None:
        name = f"wait for {span.operation}"
    return {
        "ph": "X",
        "name": name,
        "cat": span.kind,
        "pid": span.gpu,
        "tid": COMPUTE if span.peer is None and span.kind != "collective" else TRANSFER,
        "ts": _us(start_s + span.start_s),
        "dur": _us(span.seconds),
        "args": args,
    }


def _hand_overs(timeline: Timeline, start_s: float, step: int) -> Iterator[Event]:
    """Yield the arrows of a pipeline, from producer to consumer."""
    for number, (maker, user) in enumerate(dependencies(timeline.spans)):
        arrow = {"name": "send", "cat": "send", "id": f"{step}.{number}", "tid": COMPUTE}
        made, used = maker.end_s - PAUSE_S / 1e3, user.start_s + PAUSE_S / 1e3  # inside the slices
        yield {"ph": "s", "pid": maker.gpu, "ts": _us(start_s + made), **arrow}
        yield {"ph": "f", "bp": "e", "pid": user.gpu, "ts": _us(start_s + used), **arrow}


def _pass(span: Span, start_s: float, step: int) -> Iterator[Event]:
    """Yield the arrow of a pass, and the sender's bytes on their way."""
    arrow = {"name": "baton", "cat": "baton", "id": f"{step}.{span.number}"}
    place = {"pid": span.gpu, "tid": TRANSFER}
    middle = _us(start_s + (span.start_s + span.end_s) / 2)  # an arrow ties to the slice around it
    if span.kind == "transfer_in":
        yield {"ph": "f", "bp": "e", "ts": middle, **arrow, **place}
        return
    yield {"ph": "s", "ts": middle, **arrow, **place}
    for moment, size in ((span.start_s, span.bytes), (span.end_s, 0)):
        counter = {"ph": "C", "name": "bytes on their way", "pid": span.gpu, "tid": TRANSFER}
        yield {**counter, "ts": _us(start_s + moment), "args": {"bytes": size}}


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)
