"""Models that are odd in one way each, as a workload of eight layers of width `dim`."""

import torch
from torch import nn

from mp.workload import Workload


class Odd(Workload):
    """Linear layers with ReLU, and a class for each row."""

    def small_case(self):
        return self.case

    def names(self):
        return [f"step {number}" for number in range(self.case.depth)]

    def layer(self, number):
        return nn.Sequential(nn.Linear(self.case.dim, self.case.dim), nn.Tanh())

    def batch(self, rows):
        return torch.randn(rows, self.case.dim), torch.randint(self.case.dim, (rows,))

    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target)


class Expert(nn.Module):
    """Top-1 routing: each row to the one expert with the highest score, so shapes within vary."""

    def __init__(self, dim):
        super().__init__()
        self.router = nn.Linear(dim, 3)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            if (mine := chosen == number).any():
                out[mine] = expert(x[mine])
        return x + out * weights[:, None]


class Moe(Odd):
    def layer(self, number):
        return Expert(self.case.dim)


class Start(nn.Module):
    """One tensor to three: x, a skip, and integers."""

    def forward(self, x):
        return x * 2, x.sin(), (x[:, 0] > 0).long()


class Carry(nn.Module):
    """The long skip and the integers go along unchanged."""

    def __init__(self, dim):
        super().__init__()
        self.linear, self.kind = nn.Linear(dim, dim), nn.Embedding(2, dim)

    def forward(self, parts):
        x, keep, kinds = parts
        assert kinds.dtype == torch.int64
        return torch.tanh(self.linear(x)) + self.kind(kinds), keep, kinds


class End(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, parts):
        x, keep, _ = parts
        return self.linear(x + keep)


class First(nn.Module):
    """As Start, with a parameter before the skip."""

    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x):
        return Start()(self.linear(x))


class TupleSkip(Odd):
    def layer(self, number):
        if number == 0:
            return First(self.case.dim)
        return (End if number == self.case.depth - 1 else Carry)(self.case.dim)


class Frozen(Odd):
    """The first half is frozen."""

    def layer(self, number):
        return super().layer(number).requires_grad_(number >= self.case.depth // 2)


class FrozenParts(Odd):
    """In every layer the bias is frozen."""

    def layer(self, number):
        made = super().layer(number)
        made[0].bias.requires_grad_(False)
        return made


class Dropping(Odd):
    def layer(self, number):
        return nn.Sequential(super().layer(number), nn.Dropout(0.1))


class Noise(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.1)


class Noisy(Odd):
    def layer(self, number):
        made = super().layer(number)
        return nn.Sequential(made, Noise()) if number == 3 else made


class Ignoring(Odd):
    """The loss ignores a class, so that a mean of means is not the mean."""

    def batch(self, rows):
        x, _ = super().batch(rows)
        return x, (torch.arange(rows) >= rows // 8).long()  # of the first micro-batch some

    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target, ignore_index=0)


class Table(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table


class SharedBuffer(Odd):
    def layers(self):
        table = torch.ones(self.case.dim)
        for layer in super().layers():
            yield nn.Sequential(layer, Table(table))


class Turning(nn.Module):
    """Turns pairs of numbers by angles, a complex buffer, as rotary positions do."""

    def __init__(self, dim):
        super().__init__()
        angles = torch.arange(dim / 2)
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles))

    def forward(self, x):
        pairs = torch.view_as_complex(x.float().unflatten(1, (-1, 2)))
        return torch.view_as_real(pairs * self.turns).flatten(1).type_as(x)


class Rotary(Odd):
    def layer(self, number):
        return nn.Sequential(super().layer(number), Turning(self.case.dim))


class SameMemory(Odd):
    """Two parameters of two layers in one memory, as `.data` ties them."""

    def layers(self):
        made = list(super().layers())
        made[6][0].weight = nn.Parameter(made[2][0].weight.data)
        return iter(made)


class OneBlock(Odd):
    """All weights in one block of memory, each in a part that no other has."""

    def layers(self):
        made = list(super().layers())
        block = torch.stack([layer[0].weight.detach() for layer in made])
        for layer, part in zip(made, block, strict=True):
            layer[0].weight = nn.Parameter(part)
        return iter(made)


class Growing(nn.Module):
    calls = 0

    def forward(self, x):
        Growing.calls += 1
        return torch.cat([x, x[:, : Growing.calls % 3]], 1)[:, : 8 + Growing.calls % 3]


class ShapesChange(Odd):
    def layer(self, number):
        return Growing() if number == self.case.depth - 1 else super().layer(number)


class Wrong(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x)


class ReturnsDict(Odd):
    def layer(self, number):
        return Wrong(lambda x: {"x": x}) if number == 2 else super().layer(number)


class ColumnsFirst(Odd):
    def layer(self, number):
        return Wrong(lambda x: x.T) if number == 2 else super().layer(number)


ODD = {
    "moe": Moe,
    "tuple skip": TupleSkip,
    "frozen half": Frozen,
    "frozen parts": FrozenParts,
    "dropout": Dropping,
    "noise": Noisy,
    "ignored": Ignoring,
    "rotary": Rotary,
    "one block": OneBlock,
    "same memory": SameMemory,
    "shared buffer": SharedBuffer,
    "shapes change": ShapesChange,
    "dict": ReturnsDict,
    "columns first": ColumnsFirst,
}
