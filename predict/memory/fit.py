"""The fit of a case into the memory of a GPU, by the peak of the fullest GPU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Literal

from predict.memory.beside import Beside
from predict.memory.gpu_size import GIB, GpuSize
from predict.memory.least import least_of
from predict.memory.peaks import Peak, TooLong, memory_case, peaks_of_cuts
from study.case import Case
from study.results.layers import ModelProfile

# torch reserves more than it gives out: 1.00 to 1.27 times as much on H100s, where nothing ran out.
RESERVED = 1.27
# Where no times are known a cut by operations is followed. A job that cuts by time may put more on
# one GPU: up to 1.32 times as much, of a GPT on two and four H200s.
OTHER_CUT = 1.35
Answer = Literal["fits", "may not fit", "cannot fit"]


@dataclass(frozen=True)
class Layers:
    """Layers of a case's model before it runs.

    Attributes:
        model: their sizes; None for the linear stack, whose follow from its case.
        unknown: why they are not known; empty where they are.
        off: the share by which memory that follows from them may be too high.
    """

    model: ModelProfile | None = None
    unknown: str = ""
    off: float = 0.0


@dataclass(frozen=True)
class Fit:
    """Memory that a case takes, against that of a GPU.

    Attributes:
        peak: of the fullest GPU; None where it is not known. Of several cuts into stages that a
            job may make, with the likeliest.
        at_least: bytes that it takes at least; 0 where nothing is known.
        answer: whether it fits; None where the peak or the size of a GPU is not known.
        unknown: why the peak is not known.
        is_about: whether the peak is an estimate.
        ends: the least and the most bytes of the fullest GPU over these cuts; None if there is one.
        beside: bytes that CUDA and NCCL take for sure, on that GPU.
    """

    peak: Peak | None = None
    at_least: int = 0
    answer: Answer | None = None
    unknown: str = ""
    is_about: bool = False
    ends: tuple[int, int] | None = None
    beside: int = 0

    @property
    def words(self) -> str:
        """The figure and whether it fits, e.g. `17.3 GiB, fits`."""
        if self.peak is not None:
            figure = f"{'about ' if self.is_about else ''}{self._figure(self.peak)}"
        elif self.at_least:
            figure = f"at least {in_gib(self.at_least)}"
        else:
            return "memory unknown"
        return f"{figure}, {self.answer}" if self.answer else figure

    def _figure(self, peak: Peak) -> str:
        low, high = map(in_gib, self.ends or (peak.allocated, peak.allocated))
        return low if low == high else f"{low.removesuffix(' GiB')} to {high}"


def in_gib(size: int) -> str:
    """Return bytes in GiB with three significant digits, from 0.01 on."""
    value = size / GIB
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} GiB"


@dataclass
class Fits:
    """The fits of many cases, each followed once for all that take the same memory.

    Attributes:
        size: of a GPU; None if unknown.
        layers_of: returns the layers of a case's model.
        cuts_of: returns the stage of each layer as a job may cut by time, the likeliest first;
            nothing where it does not, or where no times are known.
        note: what a plan says where the size is unknown.
        beside: what CUDA and NCCL take besides; by default what they took on H100s and H200s.
    """

    size: GpuSize | None
    layers_of: Callable[[Case], Layers]
    cuts_of: Callable[[Case], Sequence[Sequence[int]]] = lambda case: ()
    note: str = ""
    beside: Beside | None = None
    _known: dict[Case, Fit] = field(default_factory=dict)

    def of(self, case: Case) -> Fit | None:
        """Return the fit of a case; None where no step of it is known.

        A program's memory is not known. A calibration holds a few layers, as many as fit.
        """
        if case.kind == "program" or case.is_calibration:
            return None
        key = memory_case(case)
        if key not in self._known:
            self._known[key] = self._follow(key)
        return self._known[key]

    def _follow(self, case: Case) -> Fit:
        layers = self.layers_of(case)
        if layers.unknown:
            return Fit(unknown=layers.unknown)
        cuts = self.cuts_of(case)
        try:
            of_cuts = peaks_of_cuts(case, layers.model, cuts)
        except TooLong:
            return self._at_least(case, layers)
        fullest = [max(peaks, key=lambda peak: peak.needed) for peaks in of_cuts]
        peak, most = fullest[0], max(fullest, key=lambda peak: peak.needed)
        is_known = bool(cuts) or peak.is_sure
        # However a job cuts the layers, the fullest GPU has the mean of what none can be without.
        is_sure, beside = not cuts and peak.is_sure, self.beside or Beside(self.size)
        sure = beside.needed(case, peak) if is_sure else mean(peak.held for peak in of_cuts[0])
        high = most.allocated if is_known else OTHER_CUT * most.allocated
        answer = self._answer(RESERVED * high + most.beside, (1 - layers.off) * sure)
        sizes = [each.allocated for each in fullest]
        ends = (min(sizes), max(sizes)) if len(cuts) > 1 else None
        is_about, least = layers.off > 0 or not is_known, beside.least(case, peak)
        return Fit(peak, peak.allocated, answer, is_about=is_about, ends=ends, beside=least)

    def _at_least(self, case: Case, layers: Layers) -> Fit:
        """Return the fit of a case whose step is too long to be followed."""
        size = least_of(case, layers.model)
        is_more = self.size is not None and size > self.size.size
        why = "a step has too many actions to follow them"
        return Fit(at_least=size, answer="cannot fit" if is_more else None, unknown=why)

    def _answer(self, at_most: float, sure: float) -> Answer | None:
        """Return whether a case fits that takes so many bytes at most, of which some are sure."""
        if self.size is None:
            return None
        if sure > self.size.size:
            return "cannot fit"
        return "may not fit" if at_most > self.size.size else "fits"
