"""What a result was measured on, in words, and what may be compared with what."""

from report.measured import Measured


def hardware(result: Measured) -> str:
    """The GPUs or the CPU that computed, without their number."""
    environment = result.environment
    if environment.gpus:
        return " and ".join(sorted({gpu.name for gpu in environment.gpus}))
    return f"CPU {environment.cpu or 'of unknown name'} ({environment.cpu_threads} threads)"


def shared_device(result: Measured) -> str:
    """What the logical GPUs of an emulated result share."""
    return "one GPU" if result.environment.gpus else "the CPU"
