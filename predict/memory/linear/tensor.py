"""Predicted peak memory of a GPU under tensor parallelism.

Layers go in pairs: the first is split by columns and leaves each GPU a share of its output, which
the second, split by rows, takes; its output is added up over the GPUs, and every GPU has all of it.
"""

from predict.memory.kernels import row_sum_bytes
from predict.memory.parts import (
    ELEMENT_BYTES,
    OPTIMIZER_TEMPORARIES,
    Account,
    MemoryBreakdown,
)
from study.case import Case


def follow_tensor(case: Case) -> list[MemoryBreakdown]:
    """Return what each GPU holds at its peak: all hold the same."""
    element = ELEMENT_BYTES[case.dtype]
    whole = case.batch_size * case.dim * element
    share = whole // case.gpus
    is_columns = [number % 2 == 0 for number in range(case.depth)]
    weights = case.dim**2 // case.gpus * element
    # A split by rows leaves the bias whole.
    sizes = [
        weights + (case.dim // case.gpus if columns else case.dim) * element
        for columns in is_columns
    ]
    account = Account(case, [sum(sizes)])
    account.change(0, activations=3 * whole)  # the batch, its target and the loss's buffer
    for number, columns in enumerate(is_columns):
        output = share if columns else whole
        account.change(0, activations=output)
        account.look(0, activations=output if number else 0)
    account.look(0, activations=2 * whole)
    account.look(0, activations=whole)  # the output's gradient
    for number in reversed(range(case.depth)):
        columns = is_columns[number]
        account.change(0, gradients=sizes[number])
        into = (whole if columns else share) if number else 0
        width = case.dim // case.gpus if columns else case.dim
        account.look(0, activations=into, temporaries=row_sum_bytes(case.batch_size, width))
        account.change(0, activations=-(share if columns else whole))
    account.look(0, temporaries=OPTIMIZER_TEMPORARIES[case.optimizer] * sum(sizes))
    return account.peaks * case.gpus
