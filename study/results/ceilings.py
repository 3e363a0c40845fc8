"""The hardware's rates, measured in the same job: matrix products and copies."""

from study.results.record import Bytes, Count, PerSecond, Record, Seconds


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
    flop_per_s: PerSecond
    sustained_s: Seconds
    sustained_flop_per_s: PerSecond


class CopyRate(Record, frozen=True):
    """Copies from one GPU to another; within one device where source and target are equal.

    `checked_bytes` came through unchanged. `latency_s` is a copy of one element,
    `message_s` one of a baton of the case (`message_bytes`); the bandwidth counts each byte of
    `bandwidth_bytes` once. `peer_access` is what the driver claims, null where nobody asked.
    """

    source: Count
    target: Count
    checked_bytes: Bytes
    peer_access: bool | None
    latency_s: Seconds
    message_bytes: Bytes
    message_s: Seconds
    bandwidth_bytes: Bytes
    bandwidth_bytes_per_s: PerSecond


class Ceilings(Record, frozen=True):
    """The largest rates seen: of each real device, and of each pair of GPUs that copies."""

    gemm: list[GemmRate]
    copies: list[CopyRate]
