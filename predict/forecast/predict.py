"""The prediction of a case: its step, how certain that is, bubbles and peaks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from predict.costs.calibrated import Calibrated
from predict.costs.refusal import LONGER_S, Unpredictable
from predict.forecast.intervals import Residuals, group_of, half_width
from predict.forecast.matching import Known
from predict.forecast.words import step_words
from predict.memory.fit import Layers
from predict.memory.peaks import TooLong, peaks_of_cuts
from predict.steps.of_case import step_of
from predict.steps.step import Step
from study.case import Case
from study.models import KINDS
from study.storage.prediction import AS_CALIBRATED, LAUNCHING, Prediction, is_extrapolated
from study.values.keys import DEFAULTS

Predicted = Prediction | Unpredictable
# Keys that change no step.
NEUTRAL = ("seed", "warmup_steps", "steps", "time_limit_s", "ci_half_width", "repeat")
UNKNOWN_LAUNCHING = "how long launching takes is not known; the step may take longer"
LONGER = 2  # times as long as calibrations that had too little time


@dataclass
class Predictor:
    """Predictions of many cases, each made once.

    Attributes:
        known: all calibrations.
        residuals: errors of earlier predictions.
        nodes_of: on how many nodes a case runs.
        layers_of: the sizes of a case's layers.
        commit: of this project.
    """

    known: Known
    residuals: Residuals
    nodes_of: Callable[[Case], int]
    layers_of: Callable[[Case], Layers]
    commit: str | None = None
    _made: dict[Case, Predicted] = field(default_factory=dict)
    _steps: dict[Case, tuple[Calibrated, Step] | Unpredictable] = field(default_factory=dict)

    def of(self, case: Case) -> Predicted:
        """Return the prediction of a case, or why there is none."""
        key = msgspec.structs.replace(case, **{name: DEFAULTS[name] for name in NEUTRAL})
        if key not in self._made:
            try:
                self._made[key] = self._predict(key)
            except Unpredictable as why:
                self._made[key] = why
        return self._made[key]

    def _predict(self, case: Case) -> Prediction:
        calibrated, step = self._step(case)
        group = group_of(case)
        base, _ = self.residuals.half_width(group)
        labels = [*self._labels(case, calibrated), *step.notes, *_launching(step)]
        half = half_width(base, step.doubt, doubled=any(map(is_extrapolated, labels)))
        # How fast a host launches changes from job to job: only what the GPUs need is a bound.
        least_s = step.gpus_s if step.is_launch_bound and step.gpus_s else step.seconds
        return Prediction(
            step_s=step.seconds,
            low_s=least_s * (1 - half),
            high_s=None if step.is_launch_bound else step.seconds * (1 + half),
            group=group,
            host_share=step.host_share,
            bubbles=step.bubbles,
            **_memory(case, calibrated, step),
            layers_per_stage=step.layers_per_stage,
            one_gpu_s=self._one_gpu_s(case),
            labels=tuple(labels),
            calibrations=calibrated.ids,
            commit=self.commit,
        )

    def _step(self, case: Case) -> tuple[Calibrated, Step]:
        if case not in self._steps:
            try:
                nodes = self.nodes_of(case)
                if case.kind == "program":
                    raise Unpredictable("programs are not predicted", "measure")
                model = self.layers_of(case).model
                calibrated = replace(self.known.for_case(case, nodes), model=model)
                self._steps[case] = calibrated, step_of(case, calibrated, nodes)
            except Unpredictable as why:
                limits = (each.case.time_limit_s for each in self.known.results)
                why.limit_s = max([LONGER_S, *(LONGER * limit_s for limit_s in limits)])
                self._steps[case] = why
        found = self._steps[case]
        if isinstance(found, Unpredictable):
            raise found
        return found

    def _labels(self, case: Case, calibrated: Calibrated) -> list[str]:
        """Return in what a case goes beyond what was seen; its interval is then doubled."""
        group, nodes = group_of(case), self.nodes_of(case)
        seen = max(calibrated.gpus, self.residuals.most_gpus(group))
        labels = [f"extrapolated: {case.gpus} GPUs, seen {seen}"] if case.gpus > seen else []
        linked = 1 if calibrated.over_nodes is None else 2
        if nodes > max(linked, self.residuals.most_nodes(group)):
            labels.append(f"extrapolated: {nodes} nodes, of which one link was timed")
        return labels

    def _one_gpu_s(self, case: Case) -> float | None:
        """Return the step of one GPU with the same batch, against which a speed-up counts.

        None where it is unknown or launch-bound, so that nothing follows from it.
        """
        if "naive" not in KINDS[case.kind].schedules:
            return None
        keys = ("schedule", "micro_batches", "chunks_per_gpu", "balance", "data_parallel", "split",
                "gradients")  # fmt: skip
        defaults = {key: DEFAULTS[key] for key in keys} | {"gpus": 1}
        try:
            step = self._step(msgspec.structs.replace(case, **defaults))[1]
        except Unpredictable:
            return None
        return None if step.is_launch_bound else step.seconds


def _launching(step: Step) -> list[str]:
    if step.host_s is None:
        return [UNKNOWN_LAUNCHING]
    if not step.is_launch_bound:
        return []
    return [f"{LAUNCHING}{step_words(step.host_s)}{AS_CALIBRATED}"]


def _memory(case: Case, calibrated: Calibrated, step: Step) -> dict[str, tuple[int, ...]]:
    """Return the fields on the peak of each GPU; none where the sizes of layers are not known."""
    if case.kind != "linear" and calibrated.model is None:
        return {}
    try:
        found = [
            [peak.allocated for peak in peaks]
            for peaks in peaks_of_cuts(case, calibrated.model, step.cuts)
        ]
    except TooLong:
        return {}
    known = {"peak_bytes": tuple(found[0])}
    if len(found) > 1:
        of_gpu = list(zip(*found, strict=True))
        known |= {"peak_low_bytes": tuple(map(min, of_gpu)),
                  "peak_high_bytes": tuple(map(max, of_gpu))}  # fmt: skip
    return known
