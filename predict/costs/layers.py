"""Seconds of each layer of a case, from the kinds of layers that were calibrated."""

import re
from dataclasses import dataclass
from statistics import median

from msgspec import structs

from predict.costs.power_limit.pace import PacedTime
from predict.costs.refusal import Unpredictable, not_calibrated
from study.case import Case
from study.results.calibration.layers import LayerAction, LayerKind, LayerTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing
from study.schedules import SCHEDULES
from study.text import count_of

LOSS = -1  # in place of a layer's number
# A GPU under load first; one that never came to its limit has no such time.
PACES = ("sustained", "unthrottled")
# In words: what it is, and with which micro-batches of a pipeline.
_ACTIONS: dict[LayerAction, tuple[str, str]] = {
    "forward": ("the forward", ""),
    "backward_first": ("the backward", " for the first micro-batch"),
    "backward_later": ("the backward", " for later micro-batches"),
    "input_gradient": ("the input gradient", ""),
    "weight_first": ("the weight gradient", " for the first micro-batch"),
    "weight_later": ("the weight gradient", " for later micro-batches"),
}
_Key = tuple[int, str, int, str, str, int]


@dataclass(frozen=True)
class LayerTimes:
    """Times of the layers of a case.

    Attributes:
        case: whose layers are meant.
        calibration: of one GPU.
        paces: the paces to take, the first that there is.
    """

    case: Case
    calibration: Calibration
    paces: tuple[str, ...] = PACES

    def __post_init__(self) -> None:
        """Index what there is."""
        found: dict[_Key, LayerTime] = {
            (t.kind, t.action, t.rows, t.gradients, t.pace, t.shares): t
            for t in self.calibration.layers
        }
        kinds = {
            number: index
            for index, kind in enumerate(self.calibration.kinds)
            for number in kind.layers or (LOSS,)
        }
        object.__setattr__(self, "_times", found)
        object.__setattr__(self, "_kinds", kinds)

    @property
    def rows(self) -> int:
        """The rows of a part of the batch: a micro-batch, or what a replica has."""
        return self.case.batch_size // self.case.parts

    def kind_of(self, layer: int) -> int:
        """Return the number of a layer's kind; the calibration may have more or fewer in between.

        Args:
            layer: its number in the case, or LOSS.

        Raises:
            Unpredictable: there is no such kind.
        """
        kinds: dict[int, int] = self._kinds  # type: ignore[attr-defined]
        if LOSS not in kinds:
            raise Unpredictable("the loss was not calibrated", "calibrate again")
        if layer == LOSS:
            return kinds[LOSS]
        measured = max(kinds) + 1
        if layer == 0 or self.case.layers == measured:
            return kinds[layer]
        if layer == self.case.layers - 1:
            return kinds[measured - 1]
        return kinds[max(0, min(layer, measured - 2))]

    def kind(self, layer: int) -> LayerKind:
        """Return the kind of a layer."""
        return self.calibration.kinds[self.kind_of(layer)]

    def time(self, layer: int, action: LayerAction, shares: int = 1) -> Timing:
        """Return what an action of a layer takes with a part of the batch.

        Args:
            layer: its number in the case, or LOSS.
            action: of the layer.
            shares: over how many GPUs it is split.

        Raises:
            Unpredictable: it was not calibrated.
        """
        found = self.find(layer, action, shares)
        if found is None:
            raise self._missing(layer, action, shares)
        return found

    def find(self, layer: int, action: LayerAction, shares: int = 1) -> Timing | None:
        """Return what an action of a layer takes; None where it was not calibrated.

        Args:
            layer: its number in the case, or LOSS.
            action: of the layer.
            shares: over how many GPUs it is split.
        """
        return self._find(self.kind_of(layer), action, self.paces, shares)

    def launching_s(self, layer: int, action: LayerAction) -> float:
        """Return what a process takes to launch an action of a layer; 0 where it is unknown.

        The same kernels are launched whatever the rows, so it is the median over all of them: a
        host is faster and slower by the moment, and each was timed in one.
        """
        kind = self.kind_of(layer)
        timed = [
            t
            for t in self.calibration.layers
            if (t.kind, t.action, t.pace, t.shares) == (kind, action, "host", 1)
        ]
        mine = [t.seconds for t in timed if t.gradients == self.case.gradients]
        return median(mine or [t.seconds for t in timed] or [0.0])

    def launch_all_s(self) -> float:
        """Return what one process takes to launch forward and backward of all layers."""
        actions: tuple[LayerAction, ...] = ("forward", "backward_first")
        return sum(
            self.launching_s(layer, action)
            for layer in range(self.case.layers)
            for action in actions
        )

    def any_share(self, action: LayerAction, shares: int) -> tuple[Timing, Timing] | None:
        """Return what a share of a layer takes, and the whole of such a layer; None if unknown.

        Args:
            action: of the layer.
            shares: over how many GPUs it is split.
        """
        for kind in range(len(self.calibration.kinds)):
            share = self._find(kind, action, self.paces, shares)
            whole = self._find(kind, action, self.paces)
            if share is not None and whole is not None:
                return share, whole
        return None

    def learns(self, layer: int) -> bool:
        """Return whether a layer that was calibrated has a backward."""
        kind = self.kind_of(layer)
        return any(t.kind == kind and t.action != "forward" for t in self.calibration.layers)

    def _find(
        self, kind: int, action: LayerAction, paces: tuple[str, ...], shares: int = 1
    ) -> Timing | None:
        times: dict[_Key, LayerTime] = self._times  # type: ignore[attr-defined]
        is_alike = action == "forward" or not self.calibration.kinds[kind].parameters
        others = ("separate", "fused") if is_alike else ()
        for gradients in dict.fromkeys((self.case.gradients, *others)):
            for pace in paces:
                found = times.get((kind, action, self.rows, gradients, pace, shares))
                if found is not None:
                    rested = times.get((kind, action, self.rows, gradients, "unthrottled", shares))
                    return found if pace != "sustained" else _paced(found, rested)
        return None

    def _missing(self, layer: int, action: LayerAction, shares: int) -> Unpredictable:
        why = self._why_missing(layer, action, shares)
        name = re.escape(self.kind(layer).name)
        its = rf" in {shares} shares" if shares > 1 else rf"(?<!\w){name}"
        said = re.compile(rf"{its} with {self.rows} rows")
        return not_calibrated(why, self.calibration.left_out, said.search, "calibrate")

    def _why_missing(self, layer: int, action: LayerAction, shares: int) -> str:
        mine = [t for t in self.calibration.layers if t.kind == self.kind_of(layer)]
        rows, wanted = {t.rows for t in mine}, count_of(self.rows, "row")
        name = self.kind(layer).name
        if self.rows not in rows:
            return f"{name} was not calibrated with {wanted} (calibrated: {_words(rows)})"
        split = {t.rows for t in self.calibration.layers if t.shares == shares}
        if self.rows not in split:
            return (
                f"layers split over {shares} GPUs were not calibrated with {wanted} "
                f"(calibrated: {_words(split)})"
            )
        if self.case.gradients not in {t.gradients for t in mine}:
            return f"gradients: {self.case.gradients} was not calibrated"
        what, part = _ACTIONS[action]
        is_pipeline = SCHEDULES[self.case.schedule].is_pipeline
        return f"{what} of {name}{part if is_pipeline else ''} was not calibrated"


def _paced(loaded: LayerTime, rested: LayerTime | None) -> Timing:
    if rested is None:
        return loaded
    return PacedTime(**structs.asdict(loaded), rested_s=min(rested.seconds, loaded.seconds))


def _words(rows: set[int]) -> str:
    return ", ".join(map(str, sorted(rows))) or "none"
