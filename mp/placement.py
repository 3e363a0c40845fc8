"""The rule that says which GPU gets layer i."""


def gpu_of_layer(i: int, depth: int, gpus: int, split: str) -> int:
    """The GPU (0 .. gpus-1) that holds layer i (0 .. depth-1).

    `half` is the course's base code: the first half on GPU 0, the rest on GPU 1.
    `even` gives GPU g the layers with floor(i * gpus / depth) = g: one contiguous run for each
    GPU, and no two runs differ by more than one layer.
    """
    if split == "half":
        return 0 if i < depth // 2 else 1
    return i * gpus // depth


def layer_map(depth: int, gpus: int, split: str) -> list[int]:
    """The GPU of every layer; ValueError where the split cannot use this number of GPUs."""
    if split == "half" and gpus != 2:
        raise ValueError(f"split 'half' takes exactly 2 GPUs, not {gpus}")
    if split not in ("half", "even"):
        raise ValueError(f"split {split!r} is neither 'half' nor 'even'")
    if gpus < 1:
        raise ValueError("no GPU to put a layer on; pass devices=[...] to run without CUDA")
    if gpus > depth:
        raise ValueError(f"{gpus} GPUs are more than the {depth} layers to spread over them")
    return [gpu_of_layer(i, depth, gpus, split) for i in range(depth)]


def boundaries(gpu_of_layer: list[int]) -> list[int]:
    """Return the layers before which data change GPU."""
    return [i for i in range(1, len(gpu_of_layer)) if gpu_of_layer[i] != gpu_of_layer[i - 1]]
