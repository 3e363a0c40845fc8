"""Operations and their rate at two depths whose step times do not differ."""

from report.analysis.flops import achieved_flop_per_s, fastest_product, step_flops
from report.data.measured import MeasuredCase
from report.wording.units import percent, ratio, seconds
from study.statistics.samples import estimate

LITTLE = 0.1  # of the fastest product's rate; below it, that rate does not explain a step


def work(few: MeasuredCase, many: MeasuredCase) -> str:
    """Describe operations and rates where the step times of two depths do not differ.

    Empty where they are not known.
    """
    fewer, more = (step_flops(result.case, result.model) for result in (few, many))
    if not fewer or not more:
        return ""
    before, after = (estimate(result.steps_s) / result.case.depth for result in (few, many))
    shares = [(achieved_flop_per_s(r) or 0) / fastest_product(r).flop_per_s for r in (few, many)]
    text = (
        f"From depth {few.case.depth} to {many.case.depth} a step has "
        f"{ratio(more / fewer)} times the operations in its matrix products; a layer takes "
        f"{seconds(before)}, then {seconds(after)}, and the products run at {percent(shares[0])}, "
        f"then {percent(shares[1])} of the rate of the fastest one"
    )
    if max(shares) < LITTLE:
        text += f": at that rate they would take less than {100 * LITTLE:.0f} % of a step"
    return f"{text}."
