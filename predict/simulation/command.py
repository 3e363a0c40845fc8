"""`python -m predict`: pipelines of any size from the seconds of their actions."""

from collections.abc import Sequence

from predict.simulation.large import simulate_large
from predict.simulation.options import Asked, parse
from study.errors import ConfigError
from study.schedules import SCHEDULES


def answer(arguments: Sequence[str] | None = None) -> str:
    """Return what the command line asks for, as text.

    Raises:
        ConfigError: an option is missing or impossible.
    """
    asked = parse(arguments)
    rows, left_out = [], []
    for schedule in asked.schedules:
        if problem := _problem(asked, schedule):
            if asked.by_name:
                raise ConfigError(*problem)
            left_out.append(f"{SCHEDULES[schedule].label}: {problem[0]} {problem[1]}")
        else:
            rows.append(_row(asked, schedule))
    if not rows:
        raise ConfigError("--micro-batches", f"no schedule takes these numbers; {left_out[0]}")
    return "\n".join([*_heading(asked), *rows, *_notes(left_out)]) + "\n"


def _problem(asked: Asked, schedule: str) -> tuple[str, str] | None:
    """Return the option at fault and why the schedule cannot have these numbers; None if it can."""
    entry, chunks, gpus = SCHEDULES[schedule], asked.chunks_of(schedule), asked.gpus_of(schedule)
    if chunks not in entry.chunks:
        return "--chunks", f"{chunks} with schedule {schedule}; use {entry.chunks.start}"
    if asked.stages % chunks or not gpus:
        fits = max(1, gpus) * chunks
        return "--stages", f"{asked.stages} with {chunks} stages on each GPU; use {fits}"
    if not entry.accepts(gpus, asked.micro_batches):
        tried = range(asked.micro_batches, asked.micro_batches + 2 * gpus + 1)
        fits = next(m for m in tried if entry.accepts(gpus, m))
        return (
            "--micro-batches",
            f"{asked.micro_batches} with schedule {schedule} on {gpus} GPUs; use {fits}",
        )
    return None


def _row(asked: Asked, schedule: str) -> str:
    chunks, gpus, m = asked.chunks_of(schedule), asked.gpus_of(schedule), asked.micro_batches
    found = simulate_large(schedule, gpus, m, chunks, asked.costs_of(schedule))
    low, high = min(found.bubbles), max(found.bubbles)
    shown = [f"{100 * share:.1f}" for share in (low, high)]
    bubble = f"{' to '.join(dict.fromkeys(shown))} %"
    cells = (SCHEDULES[schedule].label, f"{gpus:,}", str(chunks), _time(found.step_s), bubble,
             _time(found.step_s * gpus / m))  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    """Return three significant digits with a unit."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1 or unit == "µs":
            value = seconds * factor
            return f"{value:,.0f} {unit}" if value >= 99.95 else f"{value:#.3g} {unit}"
    raise AssertionError


def _heading(asked: Asked) -> list[str]:
    s = asked.seconds
    optimizer = f" The optimizer takes {_time(s['optimizer'])}." if s["optimizer"] else ""
    return [
        f"A simulation, not a measurement: {asked.stages:,} equal stages and "
        f"{asked.micro_batches:,} micro-batches.",
        f"A stage takes {_time(s['forward'])} forward, {_time(s['input-gradient'])} for the "
        f"gradient of its input and {_time(s['weight-gradient'])} for that of its weights; a "
        f"message {_time(s['transfer']) if s['transfer'] else 'no time'}.{optimizer}",
        "",
        "| schedule | GPUs | stages a GPU | step | bubble | GPU time a micro-batch |",
        "|---|---|---|---|---|---|",
    ]


def _notes(left_out: list[str]) -> list[str]:
    notes = [
        "",
        "Messages neither queue nor slow computing, and no GPU waits for its process. On real GPUs "
        "these make a step longer.",
    ]
    return notes + [f"Left out: {each}." for each in left_out]
