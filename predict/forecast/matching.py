"""The calibrations that fit a case, or the reason why none does."""

from collections.abc import Iterator
from dataclasses import dataclass

from predict.costs.calibrated import Calibrated, record_of
from predict.costs.cuts import Cut, cuts_by_time, is_cut_by_time
from predict.costs.refusal import Unpredictable
from predict.forecast.machine import difference, heat_of
from study.case import Case
from study.models import KINDS
from study.results.result import Result
from study.schedules import SCHEDULES

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
    """

    results: tuple[Result, ...]
    newest: Result | None = None
    device: str = "auto"

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
        try:
            far = self._choose(case, gpus=2, nodes=2)
        except Unpredictable:
            why = f"it runs on {nodes} nodes, and no link between nodes was calibrated"
            raise Unpredictable(why) from None
        return Calibrated(one, pair, self._beside(one, far))

    def cuts_of(self, case: Case) -> tuple[Cut, ...]:
        """Return the cuts into stages that a job may make by time; none where nobody can know."""
        if not is_cut_by_time(case):
            return ()
        try:
            return cuts_by_time(case, record_of(self._choose(case, gpus=1, nodes=1)))
        except Unpredictable:
            return ()

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
        for result in sorted(of_size, key=lambda result: result.job.finished_at, reverse=True):
            place, why = next(self._problems(case, result), (0, None))
            if why is None:
                return result
            if nearest is None or place > nearest[0]:
                nearest = place, why
        assert nearest is not None
        raise nearest[1]

    def _problems(self, case: Case, result: Result) -> Iterator[tuple[int, Unpredictable]]:
        """Yield why a calibration does not fit, each with its place in the order of checks."""
        its, name = result.case, f"calibration {result.case_id}"
        keys = _MODEL if KINDS[case.kind].alike else (*_MODEL, "depth")
        for place, key in enumerate(keys):
            if its.value(key) != case.value(key):
                yield place, _other_model(key, case, its)
        place = len(keys)
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
            return Unpredictable(f"{name} is emulated, on fewer GPUs than it is for")
        if has_gpus and self.device == "cpu":
            return Unpredictable(f"{name} ran on a GPU, and the profile has device: cpu")
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
        is_one_dtype = newest.case.dtype == result.case.dtype
        differs = difference(result.environment, newest.environment, is_one_dtype=is_one_dtype)
        return differs and f"{newest.case_id} differ in {differs}"

    @staticmethod
    def _by_rows(case: Case, result: Result) -> Unpredictable | None:
        """Return whether the case's rows are missing, where layers were timed at all."""
        timed = result.calibration.layers if result.calibration is not None else ()
        wanted = case.batch_size // case.parts
        known = sorted({layer.rows for layer in timed})
        if result.case.gpus > 1 or wanted in known:
            return None
        what = "micro-batches" if SCHEDULES[case.schedule].is_pipeline else "batches"
        calibrated = ", ".join(map(str, known)) or "none"
        return Unpredictable(f"{what} of {wanted} rows are not calibrated ({calibrated} are)")

    @staticmethod
    def _beside(one: Result, other: Result) -> Result:
        """Return a calibration of several GPUs, which must be of the same machine."""
        if differs := difference(one.environment, other.environment):
            why = f"calibrations {one.case_id} and {other.case_id} differ in {differs}"
            raise Unpredictable(why, "calibrate again")
        return other


def _size_of(result: Result) -> tuple[int, int]:
    """Return the GPUs and the nodes of a calibration; of one that failed, one node."""
    found = result.calibration
    return (result.case.gpus, 1) if found is None else (found.gpus, found.nodes)


def _other_model(key: str, case: Case, its: Case) -> Unpredictable:
    wanted, there = case.value(key), its.value(key)
    if key == "sha256":
        return Unpredictable(f"{case.factory} has changed since it was calibrated")
    if key == "args":
        return Unpredictable("the model was calibrated with other arguments")
    return Unpredictable(f"{key}: {wanted} is not calibrated ({key}: {there} is)")
