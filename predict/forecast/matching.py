"""The calibrations that fit a case, or the reason why none does."""

from collections.abc import Iterator
from dataclasses import dataclass

from predict.costs.calibrated import Calibrated, record_of
from predict.costs.cuts import Cut, cuts_by_time, is_cut_by_time
from predict.costs.refusal import Remedy, Unpredictable, not_calibrated
from predict.forecast.complete import completeness
from predict.forecast.machine import difference, heat_of, other_gpu
from study.case import Case, given
from study.models import KINDS
from study.results.result import Result
from study.schedules import SCHEDULES
from study.text import count_of
from study.values.calibrates import parse_calibrates

# Of a case and its calibration alike, in this order: the later one differs, the nearer they are.
_MODEL = ("kind", "factory", "sha256", "args", "dim", "heads", "seq_len", "vocab", "tied", "width",
          "image", "classes", "norm", "dtype", "optimizer", "recompute")  # fmt: skip


@dataclass(frozen=True)
class Known:
    """All calibrations of a folder, and what else tells of its machine.

    Attributes:
        results: of calibrations, failed ones too.
        newest: the newest measurement of the folder; None without one.
        device: what the profile has.
        unreadable: for each file of a calibration that is no result: the file, and why.
        gpu_type: that jobs ask for; empty where they take any.
        lost: calibrations that the command for a case would make, were their files not there,
            which are no results.
    """

    results: tuple[Result, ...]
    newest: Result | None = None
    device: str = "auto"
    unreadable: tuple[str, ...] = ()
    gpu_type: str = ""
    lost: tuple[Case, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if nobody has calibrated for the cases."""
        return not (self.results or self.lost)

    def for_case(self, case: Case, nodes: int) -> Calibrated:
        """Return the newest calibrations that fit a case.

        Args:
            case: to be predicted.
            nodes: that it runs on.

        Raises:
            Unpredictable: there are none.
        """
        one = self._choose(case, gpus=1, nodes=1)
        if case.gpus == 1:
            return Calibrated(one, self._pair_if_any(case, one))
        pair = self._beside(one, self._choose(case, gpus=2, nodes=1))
        if nodes == 1:
            return Calibrated(one, pair)
        if not any(_size_of(result) == (2, 2) for result in self.results):
            why = f"it runs on {nodes} nodes, and no link between nodes was calibrated"
            raise Unpredictable(why)
        return Calibrated(one, pair, self._beside(one, self._choose(case, gpus=2, nodes=2)))

    def cuts_of(self, case: Case) -> tuple[Cut, ...]:
        """Return the cuts into stages that a job may make by time; none where nobody can know."""
        if not is_cut_by_time(case):
            return ()
        try:
            return cuts_by_time(case, record_of(self._choose(case, gpus=1, nodes=1)))
        except Unpredictable:
            return ()

    def why_missing(self, case: Case, why: Unpredictable) -> Unpredictable:
        """Return why a case has no prediction: the file of its calibration, where that is lost.

        Args:
            case: without a prediction.
            why: what its other calibrations lack.
        """
        if why.remedy != "calibrate":
            return why
        lost = (its for its in self.lost if its.gpus <= case.gpus and not _unlike(case, its))
        if (its := next(lost, None)) is None:
            return why
        return Unpredictable(f"{its.case_id} cannot be read", "calibrate again")

    def _pair_if_any(self, case: Case, one: Result) -> Result | None:
        """Return what one GPU in a process of its own takes from a pair: the host's times."""
        if not case.in_processes:
            return None
        try:
            return self._beside(one, self._choose(case, gpus=2, nodes=1))
        except Unpredictable:
            return None

    def _choose(self, case: Case, gpus: int, nodes: int) -> Result:
        of_size = [result for result in self.results if _size_of(result) == (gpus, nodes)]
        what = "one GPU" if gpus == 1 else "two GPUs"
        if not of_size:
            raise Unpredictable(f"no calibration of {what} is there")
        nearest: tuple[int, Unpredictable] | None = None
        fitting = list[Result]()
        for result in sorted(of_size, key=lambda result: result.job.finished_at, reverse=True):
            place, why = next(self._problems(case, result), (0, None))
            if why is None:
                fitting.append(result)
            elif nearest is None or place > nearest[0]:
                nearest = place, why
        if fitting:  # the newest of those that have most of what the case takes
            return max(fitting, key=lambda result: completeness(case, result))
        assert nearest is not None
        raise nearest[1]

    def _problems(self, case: Case, result: Result) -> Iterator[tuple[int, Unpredictable]]:
        """Yield why a calibration does not fit, each with its place in the order of checks."""
        its, name = result.case, f"calibration {result.case_id}"
        for place, key in _unlike(case, its):
            yield place, _other_model(key, case, its)
        place = len(_keys_of(case))
        for again in (self._as_run(result, name), self._by_rows(case, result)):
            place += 1
            if again is not None:
                yield place, again

    def _as_run(self, result: Result, name: str) -> Unpredictable | None:
        """Return why a calibration of this very model is of no use."""
        if result.calibration is None:
            ended = result.why_failed or result.outcome
            return Unpredictable(f"{name} was interrupted ({ended})", "calibrate again")
        has_gpus = result.environment is not None and bool(result.environment.gpus)
        if result.emulated and (has_gpus or self.device == "cuda"):
            why = f"{name} is emulated, on fewer GPUs than it is for"
            return Unpredictable(why, "calibrate again")
        if has_gpus and self.device == "cpu":
            why = f"{name} ran on a GPU, and the profile has device: cpu"
            return Unpredictable(why, "calibrate again")
        if (gpu := other_gpu(result, self.gpu_type)) is not None:
            why = f"{name} is of {gpu}, and gpu_request asks for {self.gpu_type}"
            return Unpredictable(why, "calibrate again")
        if heat := heat_of(result):
            return Unpredictable(f"{name} was slowed by {heat}", "calibrate again")
        if differs := self._since(result):
            why = f"{name} and the newer result {differs}"
            return Unpredictable(why, "calibrate again")
        return None

    def _since(self, result: Result) -> str | None:
        """Return in what the machine has changed since a calibration; None if in nothing."""
        newest = self.newest
        if newest is None or newest.job.finished_at <= result.job.finished_at:
            return None
        differs = difference(result, newest)
        return differs and f"{newest.case_id} differ in {differs}"

    @staticmethod
    def _by_rows(case: Case, result: Result) -> Unpredictable | None:
        """Return whether the case's rows are missing, where layers were timed at all."""
        found = result.calibration
        wanted = case.batch_size // case.parts
        known = sorted({layer.rows for layer in found.layers}) if found is not None else []
        if found is None or result.case.gpus > 1 or wanted in known:
            return None
        what = "micro-batches" if SCHEDULES[case.schedule].is_pipeline else "batches"
        calibrated = ", ".join(map(str, known)) or "none"
        why = f"{what} of {count_of(wanted, 'row')} are not calibrated ({calibrated} are)"
        is_asked = wanted in parse_calibrates(given(result.case.calibrates), "its case").rows
        left_out = found.left_out if is_asked else ()
        otherwise: Remedy = "calibrate again" if is_asked else "calibrate"
        return not_calibrated(why, left_out, lambda said: f" {wanted} rows" in said, otherwise)

    @staticmethod
    def _beside(one: Result, other: Result) -> Result:
        """Return a calibration of several GPUs, which must be of the same machine."""
        if differs := difference(one, other):
            why = f"calibrations {one.case_id} and {other.case_id} differ in {differs}"
            raise Unpredictable(why, "calibrate again")
        return other


def _size_of(result: Result) -> tuple[int, int]:
    """Return the GPUs and the nodes of a calibration."""
    found, case = result.calibration, result.case
    return (case.gpus, case.least_nodes) if found is None else (found.gpus, found.nodes)


def _keys_of(case: Case) -> tuple[str, ...]:
    """Return the keys in which a calibration of the case must be like it."""
    return _MODEL if KINDS[case.kind].alike else (*_MODEL, "depth")


def _unlike(case: Case, its: Case) -> list[tuple[int, str]]:
    """Return those of these keys in which a calibration differs, each with its place."""
    keys = enumerate(_keys_of(case))
    return [(place, key) for place, key in keys if its.value(key) != case.value(key)]


def _other_model(key: str, case: Case, its: Case) -> Unpredictable:
    wanted, there = case.value(key), its.value(key)
    if key == "sha256":
        return Unpredictable(f"{case.factory} has changed since it was calibrated")
    if key == "args":
        return Unpredictable("the model was calibrated with other arguments")
    return Unpredictable(f"{key}: {wanted} is not calibrated ({key}: {there} is)")
