"""How long a job should take: estimates from jobs on four H200s of one host, 2026-11-27.

On four H100s five CUDA graphs took as long as eager steps (24.1 s, these estimate 23.8).
"""

from study.case import Case

# Besides timed steps, 1 s of Slurm included: a constant, and more for each GPU. Medians of 9 jobs
# on 1, 2 and 4 GPUs and of 8 on 2 and 4. More GPUs are extrapolated.
BESIDE_STEPS_S = {"linear": (14.0, 1.2), "gpt": (17.5, 2.0)}
OF_NAIVE_GPT_S = 5.0
OF_ROW_ON_ONE_GPU_S = 0.55  # that the checks of a naive GPT take longer; 32 and 96 rows
LARGE_BATCH, OF_LARGE_BATCH_S = 64, 12.0  # rows of a GPT on several GPUs; 96 rows
OF_CALIBRATION_S, OF_PAIR = 12.5, 0.8  # two GPUs end early: the share of its time limit


def seconds_of(case: Case) -> float:
    """Return how long a job of the case should take, from Slurm's start to its end."""
    if case.is_calibration:
        return OF_CALIBRATION_S + case.time_limit_s * (OF_PAIR if case.gpus > 1 else 1.0)
    kind = "gpt" if case.kind == "gpt" else "linear"
    always, of_a_gpu = BESIDE_STEPS_S[kind]
    more = 0.0
    if kind == "gpt" and case.schedule == "naive":
        more += OF_NAIVE_GPT_S + _of_rows(case)
    return always + of_a_gpu * case.gpus + case.time_limit_s + more


def _of_rows(case: Case) -> float:
    if case.gpus == 1:
        return OF_ROW_ON_ONE_GPU_S * case.batch_size
    return OF_LARGE_BATCH_S if case.batch_size > LARGE_BATCH else 0.0
