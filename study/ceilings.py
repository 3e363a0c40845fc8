"""What the hardware can do, measured in the same job: matrix products and copies."""

from study.record import Record


class GemmRate(Record, frozen=True):
    """The fastest matrix product (m, k) x (k, n) on one real device: 2 m n k operations each.

    `flop_per_s` is the largest rate of some 20 ms; `sustained_flop_per_s` is that of the same
    product over `sustained_s` without a pause, in which a GPU may come to its power limit.
    """

    device: str
    dtype: str
    m: int
    n: int
    k: int
    flop_per_s: float
    sustained_s: float
    sustained_flop_per_s: float


class CopyRate(Record, frozen=True):
    """Copies from one GPU to another; within one device where source and target are equal.

    `checked_bytes` came through unchanged. `latency_s` is a copy of one element,
    `message_s` one of a baton of the case (`message_bytes`); the bandwidth counts each byte of
    `bandwidth_bytes` once. `peer_access` is what the driver claims, null where nobody asked.
    """

    source: int
    target: int
    checked_bytes: int
    peer_access: bool | None
    latency_s: float
    message_bytes: int
    message_s: float
    bandwidth_bytes: int
    bandwidth_bytes_per_s: float


class Ceilings(Record, frozen=True):
    """The largest rates seen; a list is empty only where there was nothing to measure."""

    gemm: list[GemmRate]
    copies: list[CopyRate]
