"""What stands once above a table: where and how its numbers were measured."""

from report.hardware import hardware, shared_device
from report.measured import Measured
from report.selection import Selection
from report.units import between

WORDS = {"batch_size": "batch"}


def make_facts(selection: Selection) -> list[str]:
    """Lines of facts; the first says the setting, the others what the results tell."""
    results = [row.measured for row in selection.rows if row.measured is not None]
    facts = [_setting(selection)]
    if selection.changed:
        changes = ", ".join(f"{WORDS.get(k, k)} {v}" for k, v in selection.changed.items())
        facts.append(f"Changed from the grid's own setting: {changes}.")
    if results:
        facts += [_hardware(results), _samples(results)]
    if any(result.emulated for result in results):
        facts.append(_emulation(results))
    if selection.grid.table == "memory" and any(_has_peaks(result) for result in results):
        facts.append("Memory is the peak of the timed steps: allocated to tensors / reserved.")
    return facts


def _has_peaks(result: Measured) -> bool:
    peaks = [gpu.peak_allocated_bytes for gpu in result.measurement.per_gpu]
    peaks.append(result.measurement.shared_peak_allocated_bytes)
    return any(peak is not None for peak in peaks)


def _setting(selection: Selection) -> str:
    case = selection.rows[0].case
    keys = ("dtype", "dim", "batch_size", "split", "optimizer", "schedule", "seed")
    parts = [
        f"{WORDS.get(key, key)} {getattr(case, key)}"
        for key in keys
        if key not in selection.grid.axes
    ]
    profile = "none yet" if selection.profile is None else selection.profile
    return f"Profile: {profile}. Setting: {', '.join(parts)}."


def _hardware(results: list[Measured]) -> str:
    names = sorted({hardware(result) for result in results})
    versions = sorted({f"torch {r.environment.torch}" for r in results})
    return f"Hardware: {'; '.join(names)}. {'; '.join(versions)}."


def _samples(results: list[Measured]) -> str:
    measurements = [r.measurement for r in results]
    samples = between([len(m.step_times_s) for m in measurements])
    warmup = between([m.warmup_steps for m in measurements])
    return f"Samples: {samples} timed steps a case, after {warmup} warm-up steps."


def _emulation(results: list[Measured]) -> str:
    emulated = [result for result in results if result.emulated]
    device = " or ".join(sorted({shared_device(result) for result in emulated}))
    return (
        f"EMULATED: {len(emulated)} of {len(results)} results come from logical GPUs that share "
        f"{device}. Layers, calls and moves are real; step times are not those of several GPUs, "
        "and memory per GPU does not exist."
    )
