"""Descriptions of the hardware that was measured."""

from report.wording.units import between, plural
from study.results.environment import Environment


def hardware(environment: Environment) -> str:
    """Return the names of the GPUs, or of the CPU that computed, without their number."""
    if environment.gpus:
        return " and ".join(sorted({gpu.name for gpu in environment.gpus}))
    known = threads(environment)
    return f"CPU {environment.cpu or 'of unknown name'}" + (f" ({known})" if known else "")


def threads(environment: Environment) -> str | None:
    """Return the number of threads in each process on a CPU; None where GPUs computed.

    None, too, of a program, which chooses its threads itself.
    """
    ranks: list[int | None] = [rank.threads for rank in environment.ranks]
    counts = [count for count in ranks or [environment.cpu_threads] if count is not None]
    if environment.gpus or not counts:
        return None
    return f"{between(counts)} {plural(max(counts), 'thread')}"


def emulation(environment: Environment, emulated: bool) -> str:
    """Return words in brackets for behind a number of logical GPUs; empty where GPUs are real."""
    return f" (emulated on {shared_device(environment)})" if emulated else ""


def shared_device(environment: Environment) -> str:
    """Return the device that the logical GPUs of an emulated result share."""
    return "one GPU" if environment.gpus else "the CPU"
