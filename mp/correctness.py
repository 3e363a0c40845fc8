"""The split model must compute what the unsplit one computes; checked before measuring."""

import torch
from torch import nn

from mp.hardware.devices import Devices
from mp.model import LargeLinearModelMP
from study.case import Case
from study.errors import CaseError
from study.results.result import Placement, Transfers

DIM, BATCH = 16, 4
# float32; several GPUs of one kind agree to the last bit, a GPU and a CPU do not.
TOLERANCE = 1e-4  # of the largest number of a tensor: gradients of deep models are tiny
# Below this, which the gradients of a hundred layers reach, float32 has few digits or none.
LEAST = torch.finfo(torch.float32).tiny


def differ(ours: torch.Tensor, reference: torch.Tensor) -> bool:
    """Whether a number is off by more than is due to rounding; NaN always is."""
    allowed = max(TOLERANCE * reference.abs().max().item(), LEAST)
    return not (ours - reference).abs().max().item() <= allowed


def unsplit_copy(model: LargeLinearModelMP) -> nn.Sequential:
    """A plain model with the same weights, on the CPU, that knows nothing of GPUs."""
    modules: list[nn.Module] = []
    for layer in model.layers:
        copy = nn.Linear(layer.in_features, layer.out_features)
        copy.load_state_dict(layer.state_dict())
        modules += [copy, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def gradients(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """The loss and the gradient of every parameter, in order, on the CPU."""
    model.zero_grad()
    loss = nn.functional.mse_loss(model(x), target)
    loss.backward()
    return [loss.detach().cpu(), *(p.grad.cpu() for p in model.parameters())]


def check_possible(case: Case, devices: Devices) -> None:
    """What these devices cannot do at all, said before anything is measured.

    Raises:
        CaseError: TF32 or a CUDA graph without a GPU of its own.
    """
    on_cuda = devices.real[0].type == "cuda"
    if case.dtype == "tf32" and not on_cuda:
        raise CaseError("dtype: tf32 exists on CUDA GPUs only; use float32 or bfloat16")
    if case.execution == "cuda_graph" and (devices.emulated or not on_cuda):
        raise CaseError("execution: cuda_graph exists on one real CUDA GPU only; use eager")


def check_moves(placement: Placement, seen: Transfers) -> None:
    """The baton must have moved exactly where the layer map changes from one GPU to the next.

    Several real GPUs refuse to compute on another's data; logical ones, sharing memory, would not.

    Raises:
        CaseError: a move is missing, or there is one too many.
    """
    gpus = placement.gpu_of_layer
    borders = [i for i in range(1, len(gpus)) if gpus[i] != gpus[i - 1]]
    if seen.moved_before_layers != borders:
        raise CaseError(
            f"data moved before layers {seen.moved_before_layers}, but the layer map changes GPU "
            f"before layers {borders}"
        )


def check_equals_unsplit(case: Case, devices: Devices) -> None:
    """One step of a small model of this depth and split, in float32.

    Raises:
        CaseError: loss or a gradient differs from the unsplit model's.
    """
    torch.manual_seed(case.seed)
    torch.set_float32_matmul_precision("highest")
    model = LargeLinearModelMP(DIM, case.depth, devices.gpus, case.split)
    x, target = torch.randn(BATCH, DIM), torch.randn(BATCH, DIM)
    split = gradients(model, devices.put(x, 0), devices.put(target, case.gpus - 1))
    unsplit = gradients(unsplit_copy(model), x.clone(), target.clone())
    for index, (ours, reference) in enumerate(zip(split, unsplit, strict=True)):
        if differ(ours, reference):
            what = "loss" if index == 0 else f"gradient of layer {(index - 1) // 2}"
            difference = (ours - reference).abs().max().item()
            raise CaseError(f"the {what} differs from the unsplit model's by {difference:.3g}")
