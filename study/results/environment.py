"""The environment of a measurement. Only what is listed here is recorded."""

from study.results.record import Bytes, Hertz, Record


class GpuState(Record, frozen=True):
    """One GPU under load, from NVML.

    `throttle_reasons` are NVML's clock event reasons without the idle one, null where unknown;
    `utilization` is NVML's: the share (0 to 1) of its last sampling window, up to a second, in
    which any kernel ran.
    """

    sm_clock_hz: Hertz | None
    memory_clock_hz: Hertz | None
    throttle_reasons: list[str] | None
    temperature_celsius: int | None
    power_w: float | None
    utilization: float | None


class Gpu(Record, frozen=True):
    """One real GPU of the host. `before` and `after` are around the timed steps, under load."""

    index: int
    name: str
    uuid: str | None
    total_memory_bytes: Bytes | None
    max_sm_clock_hz: Hertz | None
    power_limit_w: float | None
    before: GpuState | None
    after: GpuState | None


class GpuLink(Record, frozen=True):
    """The connection of two GPUs (by index).

    `path` is NVML's nearest common ancestor on the bus, in nvidia-smi's words (INTERNAL, PIX, PXB,
    PHB, NODE, SYS); `nvlinks` is the number of NVLinks to the other GPU, straight or by a switch.
    """

    source: int
    target: int
    path: str | None
    nvlinks: int | None


class RankPlace(Record, frozen=True):
    """The process of one GPU: its device, and the number of threads it computed with.

    `transports` are the kinds of connections that NCCL made from or to this rank, such as
    P2P/CUMEM (peer access, by NVLink where there is one), SHM (memory of the host), NET/Socket or
    NET/IB/GDRDMA; null where NCCL did not tell, or Gloo connects the ranks.
    """

    rank: int
    host: str
    device: str
    threads: int
    transports: tuple[str, ...] | None = None


class Environment(Record, frozen=True):
    """Host, hardware and software; of the first process, where each GPU has one of its own.

    A program may have a torch of its own, or none: what is torch's is null there.
    """

    host: str
    kernel: str
    cpu: str | None
    cpu_count: int | None
    cpu_affinity: int | None
    cpu_threads: int | None
    gpus: list[Gpu]
    topology: list[GpuLink]
    driver: str | None
    cuda: str | None
    cudnn: str | None
    nccl: str | None
    torch: str | None
    python: str
    packages: dict[str, str]
    variables: dict[str, str]
    tf32: bool | None
    float32_matmul_precision: str | None
    ranks: tuple[RankPlace, ...] = ()
