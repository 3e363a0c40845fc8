"""The cases of a table, which the cells of each of them are compared with."""

from collections.abc import Sequence
from functools import cached_property

from report.analysis.comparison import is_disturbed
from report.analysis.metrics import Baselines, Metrics, metrics
from report.analysis.speedup import Factor, factor_over, naive_on
from report.analysis.verdicts.rough import rough_digits
from report.data.labels import differs
from report.data.measured import MeasuredCase
from report.wording.units import UNKNOWN, count_of, number, percent


class Field:
    """All measured cases of a table, and figures of each among them."""

    def __init__(self, results: Sequence[MeasuredCase]) -> None:
        self.results = list(results)
        self._baselines = Baselines(self.results)
        self._metrics: dict[MeasuredCase, Metrics] = {}

    def metrics(self, result: MeasuredCase) -> Metrics:
        """Return the figures of a case, found once."""
        if result not in self._metrics:
            self._metrics[result] = metrics(result, self._baselines)
        return self._metrics[result]

    def speed_up(self, result: MeasuredCase) -> str:
        """Return the speed-up in words: `1.59`, or `≈ 1.6` where a side was disturbed."""
        found = self.metrics(result).speed_up
        if found is None:
            return UNKNOWN
        return f"≈ {rough_digits(found)}" if self._is_rough(result) else number(found)

    def efficiency(self, result: MeasuredCase) -> str:
        """Return the efficiency in words: `79.6 %`, or `≈ 80 %`."""
        found = self.metrics(result).efficiency
        if found is None:
            return UNKNOWN
        return f"≈ {100 * found:.0f} %" if self._is_rough(result) else percent(found)

    def _is_rough(self, result: MeasuredCase) -> bool:
        """Return True if something disturbed the case or the one that its speed-up is over."""
        base = self._baselines.of(result)
        return base is not None and base is not result and is_disturbed(base, result)

    def over_naive(self, result: MeasuredCase) -> Factor | None:
        """Return the speed over the naive schedule on as many GPUs."""
        return factor_over(naive_on(result.case.gpus, result, self.results), result)

    @cached_property
    def has_gpu_counts(self) -> bool:
        """True if real cases have several numbers of GPUs; emulated ones say nothing of that."""
        return differs([result for result in self.results if not result.emulated], "gpus")

    @cached_property
    def has_graphs(self) -> bool:
        """True if some of the cases are CUDA graphs, and some are not."""
        return differs(self.results, "execution")

    @cached_property
    def base(self) -> str:
        """The GPUs that speed-ups are over: `1 GPU`, or words where that differs between cases."""
        known = {self.metrics(result).base_gpus for result in self.results} - {None}
        if len(known) == 1:
            return count_of(next(iter(known)) or 0, "GPU")
        return "the fewest comparable GPUs"
