"""How long a job should take."""

from study.case import Case

# Seconds of a job besides its timed steps, 1 s of Slurm included: of a GPT, from the phases of 17
# jobs on four H100s, 2026-11-27; of the linear stack, estimated from these.
BESIDE_STEPS_S = {"linear": 16.0, "gpt": 21.0}
OF_A_GRAPH_S = 4.0
OF_NAIVE_GPT_S = 6.0
LARGE_BATCH = 64  # rows of a GPT
OF_LARGE_BATCH_S = 20.0  # that naive steps and checks of so many rows take longer


def seconds_of(case: Case) -> float:
    """Return how long a job of the case should take, from Slurm's start to its end."""
    kind = "gpt" if case.kind == "gpt" else "linear"
    more = OF_A_GRAPH_S if case.execution == "cuda_graph" else 0.0
    if kind == "gpt" and case.schedule == "naive":
        more += OF_NAIVE_GPT_S + (OF_LARGE_BATCH_S if case.batch_size > LARGE_BATCH else 0.0)
    return BESIDE_STEPS_S[kind] + case.time_limit_s + more
