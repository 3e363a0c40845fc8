"""ResNet: bottleneck blocks of convolutions in four groups, ever smaller and with more channels.

As in He et al. 2016 (arXiv 1512.03385), with the stride in the 3x3 convolution as torchvision has
it, and GroupNorm (Wu and He 2018, arXiv 1803.08494) or BatchNorm.
"""

from math import gcd

import msgspec
import torch
from torch import nn

from mp.workload import Workload
from study.case import Case, given
from study.models import blocks_per_group

EXPANSION = 4  # channels of a block's output, as a multiple of those within
GROUPS = 32  # of GroupNorm


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to the input; (rows, channels, height, width).

    Args:
        inputs: channels of the input.
        inner: channels within; the output has four times as many.
        stride: by which height and width shrink.
        norm: `group` or `batch`.
    """

    def __init__(self, inputs: int, inner: int, stride: int, norm: str) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.body = nn.Sequential(
            _conv(inputs, inner, 1), _norm(inner, norm), nn.ReLU(),
            _conv(inner, inner, 3, stride), _norm(inner, norm), nn.ReLU(),
            _conv(inner, outputs, 1), _norm(outputs, norm),
        )  # fmt: skip
        is_same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity()
            if is_same
            else nn.Sequential(_conv(inputs, outputs, 1, stride), _norm(outputs, norm))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what the convolutions make of x to x."""
        return torch.relu(self.body(x) + self.shortcut(x))


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def _norm(channels: int, norm: str) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(gcd(GROUPS, channels), channels)


class ResNet(Workload):
    """A ResNet that classifies random images; `depth` counts its blocks."""

    item = "image"
    draws_apart = True

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.width, self.norm = given(case.width), given(case.norm)
        self.image, self.classes = given(case.image), given(case.classes)

    def small_case(self) -> Case:
        """Return the case with few channels and classes, and small images."""
        return msgspec.structs.replace(self.case, width=8, image=32, classes=10)

    def names(self) -> list[str]:
        """Return stem, block 0 and so on, classifier."""
        return ["stem", *(f"block {number}" for number in range(self.case.depth)), "classifier"]

    def layer(self, number: int) -> nn.Module:
        """Make layer `number`."""
        if number == 0:
            return nn.Sequential(
                _conv(3, self.width, 7, 2), _norm(self.width, self.norm), nn.ReLU(),
                nn.MaxPool2d(3, 2, padding=1),
            )  # fmt: skip
        if number <= self.case.depth:
            return self._block(number - 1)
        channels = EXPANSION * self.width * 8
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, self.classes)
        )

    def _block(self, number: int) -> nn.Module:
        """Make block `number`; the first of a group halves the image, but in the first group."""
        counts, group = blocks_per_group(self.case.depth), 0
        while number >= counts[group]:
            number -= counts[group]
            group += 1
        inner = self.width * 2**group
        if number:
            return Bottleneck(EXPANSION * inner, inner, 1, self.norm)
        inputs = EXPANSION * inner // 2 if group else self.width
        return Bottleneck(inputs, inner, 2 if group else 1, self.norm)

    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw images (rows, 3, image, image) and their classes (rows,)."""
        images = torch.randn(rows, 3, self.image, self.image)
        return images, torch.randint(self.classes, (rows,))

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of (rows, classes) and (rows,)."""
        return nn.functional.cross_entropy(output.float(), target)
