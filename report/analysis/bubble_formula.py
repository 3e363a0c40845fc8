"""How long a pipeline leaves its GPUs idle, and what that allows, if all actions take equally long.

p GPUs, m micro-batches, v chunks a GPU; forward, the gradient of the input and that of the weight
take one and the same time, and nothing else takes any.
"""

from study.case import Case


def bubble_share(case: Case) -> float | None:
    """The share of a step in which a GPU waits, 0 to 1; None where no formula is known.

    - naive: one of p GPUs works at a time.
    - GPipe: (p - 1) / (m + p - 1), Huang et al. 2019 (arXiv 1811.06965, section 2.3).
    - 1F1B: the same; interleaved: v m in place of m, Narayanan et al. 2021 (arXiv 2104.04473,
      section 2.2, which gives the bubble as a share of the time without it: (p - 1) / (v m)).
    - ZB1P: (p - 1) (F + I - W) = p - 1 units beside 3 m of work, Qi et al. 2023 (arXiv
      2401.10241, ZB-H1).
    - ZBV: p - 1 units beside 6 m, of half the length: what the order of torch's
      ScheduleZBVZeroBubble leaves (tests/report/test_bubble.py plays it), once m reaches the
      2 p - 1 that its warm-up has.
    """
    p, m, v = case.gpus, case.micro_batches, case.chunks_per_gpu
    match case.schedule:
        case "naive":
            return 1 - 1 / p
        case "gpipe" | "1f1b":
            return (p - 1) / (m + p - 1)
        case "interleaved_1f1b":
            return (p - 1) / (v * m + p - 1)
        case "zero_bubble":
            return (p - 1) / (3 * m + p - 1)
        case "zbv" if fills_v(case):
            return (p - 1) / (6 * m + p - 1)
    return None


def allowed_speed_up(case: Case) -> float | None:
    """How many times as fast as one GPU the formula allows the GPUs to be."""
    share = bubble_share(case)
    return None if share is None else case.gpus * (1 - share)


def fills_v(case: Case) -> bool:
    """Whether there are micro-batches enough to fill the V before the first comes back."""
    return case.micro_batches >= 2 * case.gpus - 1
