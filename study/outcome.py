"""Outcomes: how a case ended, in words of ours; a state is Slurm's word."""

from typing import Literal, get_args

from study.errors import ConfigError
from study.quoting import quoted

# What a job can say of itself, in its result file.
ResultOutcome = Literal["ok", "oom_gpu", "oom_host", "gpu_mismatch", "error"]
# What others have to say of a job that left no result; `lost` is what nobody knows.
Outcome = Literal[ResultOutcome, "timeout", "preempted", "node_failed", "cancelled", "lost"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
FAILED = frozenset(OUTCOMES) - {"ok"}
# Not the case's own doing: it never had its chance, so it runs again without being asked for.
UNTRIED: frozenset[Outcome] = frozenset({"preempted", "node_failed", "cancelled", "lost"})
# What `--retries` submits again.
RETRIED: frozenset[Outcome] = frozenset({"node_failed", "timeout"})


def parse_outcomes(text: str, source: str) -> frozenset[Outcome]:
    """Return the outcomes of `failed`, or of a list joined by commas.

    Raises:
        ConfigError: a word is no outcome.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in (*OUTCOMES, "failed"):
            known = ", ".join(("failed", *OUTCOMES))
            raise ConfigError(source, f"{quoted(word)} is no outcome; use one or more of: {known}")
    return frozenset(o for o in OUTCOMES if o in words or ("failed" in words and o in FAILED))
