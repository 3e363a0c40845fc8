"""First losses: all schedules and numbers of GPUs train one model, so theirs must agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from report.answers.phrases import label_of, listed
from report.data.labels import differing, keys_of
from report.data.measured import MeasuredCase
from report.wording.names import HOW, schedule_in_text
from report.wording.units import count_of, number
from study.results.measurement import Measurement

TOLERANCE = {"float32": 1e-4, "tf32": 1e-3, "bfloat16": 1e-3}  # relative
# Keys that do not change the loss of the first step.
NO_MATTER = (*HOW, "gpus", "repeat", "optimizer", "execution", "recompute", "warmup_steps",
             "steps", "time_limit_s", "ci_half_width")  # fmt: skip
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BEFORE = 1  # how weights were drawn before that was noted
APART = (
    "NOTE: Weights of these models were drawn in different ways, since results are from before and "
    "after mpbench changed that. First losses are compared only where they were drawn alike."
)
SAME = "Do all schedules and numbers of GPUs compute the same?"


@dataclass(frozen=True)
class Losses:
    """Cases of one model, batch and seed on one kind of hardware, with a first loss each."""

    label: str
    known: list[tuple[MeasuredCase, float]]

    @property
    def spread(self) -> float:
        """The greatest difference from the first, relative; infinite where one is no number."""
        if not all(isfinite(loss) for _, loss in self.known):
            return float("inf")
        losses = [loss for _, loss in self.known]
        return (max(losses) - min(losses)) / max(abs(losses[0]), 1e-30)

    @property
    def agree(self) -> bool:
        """True if they differ by no more than rounding explains."""
        return self.spread <= TOLERANCE[self.known[0][0].case.dtype]


def agreement(results: Sequence[MeasuredCase]) -> list[str]:
    """Return a sentence for each group of cases whose first losses agree."""
    return [f"{losses.label}{_agree(losses)}" for losses in _groups(results) if losses.agree]


def warnings(results: Sequence[MeasuredCase]) -> list[str]:
    """Return a warning for each group of cases whose first losses do not agree."""
    return [_warning(losses) for losses in _groups(results) if not losses.agree]


def notes(results: Sequence[MeasuredCase]) -> list[str]:
    """Return each note of the checks of these models once, with the models that it is true of.

    Models are named only where not all have the same notes.
    """
    own = [r for r in results if r.model is not None]
    keys = [key for key in differing(own) if key not in NO_MATTER] if own else []
    of_model: dict[str, set[str]] = {}
    for r in own:
        of_model.setdefault(label_of(r, keys), set()).update(r.model.notes if r.model else ())
    labels: dict[str, list[str]] = {}
    for label, those in of_model.items():
        for note in sorted(those):
            labels.setdefault(note, []).append(label.removesuffix(": "))
    found = (note for r in own if r.model is not None for note in r.model.notes)
    drawn = {(r.case.kind, _drawn(job.measurement)) for r in own for job in r.jobs}
    apart = [APART] if len(drawn) > len({kind for kind, _ in drawn}) else []
    return apart + [
        f"NOTE: {note}"
        if len(labels[note]) == len(of_model)
        else f"NOTE: {', '.join(labels[note])}: {note}"
        for note in dict.fromkeys(found)
    ]


def _agree(losses: Losses) -> str:
    within = f"within {_small(100 * losses.spread)} %" if losses.spread else "exactly"
    cases = count_of(len(losses.known), "case")
    return (
        f"Yes: the loss of the first step is {number(losses.known[0][1], 5)} in {cases}, "
        f"{within}. Batch and first weights are the same in all of them."
    )


def _small(value: float) -> str:
    """Return two digits, with a power of ten where it is very small: `8.6 × 10⁻⁶`."""
    digits, _, power = f"{value:.2g}".partition("e")
    return f"{digits} × 10{str(int(power)).translate(RAISED)}" if power else digits


def _warning(losses: Losses) -> str:
    known = sorted(losses.known, key=lambda one: one[1])
    ends = [f"{_loss(loss)} with {schedule_in_text(r.case)} on {count_of(r.case.gpus, 'GPU')}"
            for r, loss in (known[0], known[-1])]  # fmt: skip
    why = " The notes on the model may explain it." if _has_notes(losses) else ""
    return (
        f"WARNING: {losses.label}the first losses of one model do not agree: {listed(ends)}. Batch "
        f"and first weights should be the same, so these cases may not train the same model.{why}"
    )


def _loss(loss: float) -> str:
    return number(loss, 5) if isfinite(loss) else "no number"


def _has_notes(losses: Losses) -> bool:
    return any(r.model is not None and r.model.notes for r, _ in losses.known)


def _groups(results: Sequence[MeasuredCase]) -> Iterator[Losses]:
    """Yield groups of two cases or more; of linear stacks none, whose split is checked exactly.

    A model with notes may depend on the size of its micro-batches, as BatchNorm does: then cases
    of other sizes are apart. One that draws random numbers, as dropout does, is left out: every
    split draws others.
    """
    own = [r for r in results if r.model is not None and not r.model.draws_random]
    labels = [key for key in differing(own) if key not in NO_MATTER] if own else []
    keys = [key for key in keys_of(r.case for r in own) if key not in NO_MATTER]
    groups: dict[tuple[object, ...], list[tuple[MeasuredCase, float]]] = {}
    for result in own:
        model = result.model
        rows = model.rows if model is not None and model.notes else None
        alike = (*(result.case.value(key) for key in keys), result.hardware, rows)
        for drawn, loss in _first_losses(result):
            groups.setdefault((*alike, drawn), []).append((result, loss))
    for known in groups.values():
        if len({r.case.configuration for r, _ in known}) > 1:
            yield Losses(label_of(known[0][0], labels), known)


def _first_losses(result: MeasuredCase) -> list[tuple[int, float]]:
    """Return for each job that has a first loss how its weights were drawn, and the loss."""
    measured = [job.measurement for job in result.jobs]
    return [(_drawn(m), m.first_loss) for m in measured if m.first_loss is not None]


def _drawn(measurement: Measurement) -> int:
    return measurement.draw_version or BEFORE
