"""Explanation of step times at two depths: the time each layer adds, and the rate of work."""

from report.analysis.flops import achieved_flop_per_s, fastest_product, step_flops
from report.data.measured import MeasuredCase
from report.wording.units import percent, ratio, seconds
from study.statistics.samples import estimate

STEADY = 0.15  # relative change of the time per layer
LITTLE = 0.1  # of the fastest product's rate; below it, a step is mostly other work


def time_per_layer(few: MeasuredCase, many: MeasuredCase) -> str:
    """Explain how the time per layer changes where more depth is slower."""
    before, after = _times_per_layer(few, many)
    times = f"from {seconds(before)} to {seconds(after)}"
    if abs(after / before - 1) < STEADY:
        return (
            f"The time per layer stays about the same ({times}), as it does when the layers run "
            "one after another and each one added adds its own time."
        )
    if after < before:
        return (
            f"The time per layer falls ({times}), as it would if part of a step did not grow with "
            "the depth and more layers shared it."
        )
    return f"The time per layer rises ({times}); these results do not say why."


def work(few: MeasuredCase, many: MeasuredCase) -> str:
    """Describe operations and rates where the step times of two depths do not differ."""
    flops = [step_flops(result.case) for result in (few, many)]
    before, after = _times_per_layer(few, many)
    shares = [achieved_flop_per_s(r) / fastest_product(r).flop_per_s for r in (few, many)]
    text = (
        f"From depth {few.case.depth} to {many.case.depth} a step has "
        f"{ratio(flops[1] / flops[0])} times the operations in its matrix products; a layer took "
        f"{seconds(before)}, then {seconds(after)}, and the products ran at {percent(shares[0])}, "
        f"then {percent(shares[1])} of the rate of the fastest one"
    )
    if max(shares) < LITTLE:
        text += (
            ": most of a step is something else, such as launching kernels one by one, which a "
            "step has to wait for however small its products are"
        )
    return f"{text}."


def _times_per_layer(few: MeasuredCase, many: MeasuredCase) -> tuple[float, float]:
    return estimate(few.steps_s) / few.case.depth, estimate(many.steps_s) / many.case.depth
