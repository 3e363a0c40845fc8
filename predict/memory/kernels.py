"""Bytes that torch's kernels and CUDA take besides tensors, by torch's source and as on H100s."""

MIB = 2**20
MULTIPROCESSORS = 132  # of an H100, where the GPU is not known
BLOCK = 512  # torch's allocator gives out multiples of it
WORKSPACE = 65 * MIB  # of cuBLAS and cuBLASLt on an H100; 8 MiB and more on older GPUs
_THREADS = 2048  # that a multiprocessor holds
_WIDTH, _VECTOR, _MOST_THREADS = 32, 4, 512  # of a block: outputs, how many each, threads
_FEWEST, _MOST = 16, 256  # values that one thread adds up


def rounded(size: int) -> int:
    """Return the bytes that torch's allocator gives for a tensor of this size."""
    return -(-size // BLOCK) * BLOCK


def row_sum_bytes(rows: int, columns: int, multiprocessors: int = MULTIPROCESSORS) -> int:
    """Return what the sum over the rows of a matrix takes while it runs, as for a bias's gradient.

    A sum over many rows is split over blocks of threads, which leave their parts in global memory,
    in float32: setReduceConfig in ATen/native/cuda/Reduce.cuh, from 2.0 to 2.13. 0 where no sum
    is split.

    Args:
        rows: of the matrix.
        columns: of the matrix, which lie next to each other.
        multiprocessors: of the GPU.
    """
    vector = next(size for size in (_VECTOR, 2, 1) if columns % size == 0)
    outputs = columns // vector
    width = min(_power_below(outputs), _WIDTH)
    height = min(_power_below(rows), _MOST_THREADS // vector // width)
    width = min(_power_below(outputs), _MOST_THREADS // vector // height)
    if rows < min(height * _FEWEST, _MOST):
        return 0  # a thread adds up all rows
    values, grid = -(-rows // height), -(-outputs // width)
    target = multiprocessors * (_THREADS // (width * height))
    if values < _MOST or grid > target:
        return 0
    wanted = min(-(-target // grid), -(-values // _FEWEST))
    blocks = max(wanted, -(-values // _MOST))
    return rounded(4 * columns * blocks * width * vector) + rounded(4 * grid) if blocks > 1 else 0


def _power_below(number: int) -> int:
    """Return the largest power of two that is not above a number."""
    return 1 << (max(1, number).bit_length() - 1)


def beside_torch(neighbours: int | None, *, in_processes: bool) -> int:
    """Return the bytes that CUDA and NCCL take of a GPU besides torch's tensors.

    As the driver showed them on H100s with torch 2.11 (docs/predicting.md has the figures).

    Args:
        neighbours: GPUs that one exchanges activations with; None where all GPUs work together.
        in_processes: whether every GPU has a process.
    """
    if not in_processes:
        return 767 * MIB
    if neighbours is None:
        return 1591 * MIB
    return (1309, 1775, 2159)[min(neighbours, 2)] * MIB
