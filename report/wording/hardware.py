"""What was measured on, in words."""

from report.wording.units import between, plural
from study.results.environment import Environment


def hardware(environment: Environment) -> str:
    """The GPUs or the CPU that computed, without their number."""
    if environment.gpus:
        return " and ".join(sorted({gpu.name for gpu in environment.gpus}))
    return f"CPU {environment.cpu or 'of unknown name'} ({threads(environment)})"


def threads(environment: Environment) -> str | None:
    """With how many threads each process of a CPU computed; None where GPUs did."""
    if environment.gpus:
        return None
    counts = [rank.threads for rank in environment.ranks] or [environment.cpu_threads]
    return f"{between(counts)} {plural(max(counts), 'thread')}"


def emulation(environment: Environment, emulated: bool) -> str:
    """Words in brackets behind a number of GPUs that are logical ones; none where they are real."""
    return f" (emulated on {shared_device(environment)})" if emulated else ""


def shared_device(environment: Environment) -> str:
    """What the logical GPUs of an emulated result share."""
    return "one GPU" if environment.gpus else "the CPU"
