"""Growth of what GPUs do together under tensor and data parallelism, with their number."""

from report.analysis.transfers import counted, total_bytes
from report.answers.phrases import listed
from report.data.measured import MeasuredCase
from report.wording.units import count_of, data_size


def grown(ranked: list[MeasuredCase]) -> str:
    """Describe the growth where layers are on all GPUs, which passes nothing from layer to layer.

    The number of operations does not depend on the number of GPUs, from 2 GPUs on.
    """
    calls = [words for r in ranked if (words := counted(r.transfers.collectives))]
    numbers = listed(_with_size(result) for result in ranked)
    start = "Their number stays the same from 2 GPUs on. " if len(set(calls)) == 1 else ""
    return (
        f"{start}What all GPUs do together in a training step: {numbers}. No activation moves from "
        "one GPU to the next."
    )


def _with_size(result: MeasuredCase) -> str:
    together = result.transfers.collectives
    gpus = count_of(result.case.gpus, "GPU")
    if not counted(together):
        return f"nothing on {gpus}"
    return f"{counted(together)} on {gpus}, of {data_size(total_bytes(together))} a GPU"
