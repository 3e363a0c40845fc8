"""The fit of a case into the memory of a GPU, by the peak of the fullest GPU."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean
from typing import Literal

from predict.memory.least import least_of
from predict.memory.peaks import Peak, TooLong, memory_case, peaks_of
from study.case import Case
from study.results.layers import ModelProfile

GIB = 2**30
# torch reserves more than it gives out: 1.00 to 1.27 times as much on H100s, where nothing ran out.
RESERVED = 1.27
Answer = Literal["fits", "may not fit", "cannot fit"]


@dataclass(frozen=True)
class GpuSize:
    """Memory of a GPU.

    Attributes:
        size: bytes.
        source: what says so, for people.
    """

    size: int
    source: str

    def __str__(self) -> str:
        return f"{self.size / GIB:.3g} GiB ({self.source})"


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
        peak: of the fullest GPU; None where it is not known.
        at_least: bytes that it takes at least; 0 where nothing is known.
        answer: whether it fits; None where the peak or the size of a GPU is not known.
        unknown: why the peak is not known.
        is_about: whether the peak is an estimate.
    """

    peak: Peak | None = None
    at_least: int = 0
    answer: Answer | None = None
    unknown: str = ""
    is_about: bool = False

    @property
    def words(self) -> str:
        """The figure and whether it fits, e.g. `17.3 GiB, fits`."""
        if self.peak is not None:
            figure = f"{'about ' if self.is_about else ''}{in_gib(self.peak.allocated)}"
        elif self.at_least:
            figure = f"at least {in_gib(self.at_least)}"
        else:
            return "memory unknown"
        return f"{figure}, {self.answer}" if self.answer else figure


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
        note: what a plan says where the size is unknown.
    """

    size: GpuSize | None
    layers_of: Callable[[Case], Layers]
    note: str = ""
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
        try:
            peaks = peaks_of(case, layers.model)
        except TooLong:
            return self._at_least(case, layers)
        peak = max(peaks, key=lambda peak: peak.needed)
        # However a job cuts the layers, the fullest GPU has the mean of what none can be without.
        sure = peak.needed if peak.is_sure else mean(peak.held for peak in peaks)
        answer = self._answer(peak, (1 - layers.off) * sure)
        return Fit(peak, peak.allocated, answer, is_about=layers.off > 0 or not peak.is_sure)

    def _at_least(self, case: Case, layers: Layers) -> Fit:
        """Return the fit of a case whose step is too long to be followed."""
        size = least_of(case, layers.model)
        is_more = self.size is not None and size > self.size.size
        why = "a step has too many actions to follow them"
        return Fit(at_least=size, answer="cannot fit" if is_more else None, unknown=why)

    def _answer(self, peak: Peak, sure: float) -> Answer | None:
        """Return whether a peak fits, of which so many bytes are sure."""
        if self.size is None:
            return None
        if sure > self.size.size:
            return "cannot fit"
        reserved = RESERVED * peak.allocated + peak.beside
        return "may not fit" if reserved > self.size.size else "fits"
