"""The simulation against the figures of Qi et al., Zero Bubble Pipeline Parallelism (2401.10241).

The seconds of T_F, T_B, T_W and T_comm are the authors' profiled ones, in microseconds, from the
scripts of their repository sail-sg/zero-bubble-pipeline-parallelism; bubbles are table 5, samples
per GPU and second table 4, micro-batch sizes table 3. Their T_B is the gradient of the input.
"""

from dataclasses import replace
from statistics import mean

import pytest

from predict.simulation.costs import Link, equal_stages
from predict.simulation.large import simulate_large

SIZES = {"1.5B": 6, "6.2B": 3, "14.6B": 1, "28.3B": 1}  # samples of a micro-batch
# model, p, m, T_F, T_B, T_W, T_comm; bubble of 1F1B and ZB-1p; samples of 1F1B and ZB-1p
ROWS = [
    ("1.5B", 8, 24, 18522, 18086, 9337, 601, 0.2431, 0.1585, 11.8, 12.9),
    ("1.5B", 8, 32, 18513, 18086, 9331, 626, 0.1985, 0.1242, 12.5, 13.4),
    ("1.5B", 8, 64, 18546, 18097, 9321, 762, 0.1240, 0.0674, 13.6, 14.2),
    ("6.2B", 8, 24, 29718, 29444, 19927, 527, 0.2347, 0.1323, 3.50, 3.88),
    ("6.2B", 8, 32, 29802, 29428, 19530, 577, 0.1898, 0.1045, 3.70, 4.00),
    ("6.2B", 8, 64, 29935, 29621, 19388, 535, 0.1091, 0.0554, 4.03, 4.20),
    ("14.6B", 16, 48, 11347, 11248, 8132, 377, 0.2552, 0.1397, 1.40, 1.61),
    ("14.6B", 16, 64, 11307, 11254, 8101, 379, 0.2082, 0.1088, 1.49, 1.67),
    ("14.6B", 16, 128, 11325, 11308, 8109, 378, 0.1251, 0.0576, 1.64, 1.76),
    ("28.3B", 32, 96, 10419, 10207, 7715, 408, 0.2646, 0.1421, 0.76, 0.87),
    ("28.3B", 32, 128, 10408, 10204, 7703, 408, 0.2168, 0.1106, 0.80, 0.90),
    ("28.3B", 32, 256, 10402, 10248, 7698, 460, 0.1352, 0.0594, 0.88, 0.96),
]


def step_s(schedule, row):
    """The simulated step."""
    _, p, m, f, b, w, comm, *_ = row
    costs = replace(equal_stages(p, f / 1e6, b / 1e6, w / 1e6), link=Link(comm / 1e6))
    return simulate_large(schedule, p, m, 1, costs).step_s


def of_table(row, schedule):
    """The paper's bubble and throughput."""
    return (row[7], row[9]) if schedule == "1f1b" else (row[8], row[10])


@pytest.mark.parametrize("schedule", ["1f1b", "zero_bubble"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[2]}")
def test_bubbles_are_those_of_table_5_to_the_last_digit_printed(schedule, row):
    work_s = row[2] * sum(row[3:6]) / 1e6
    found = 1 - work_s / step_s(schedule, row)
    assert found == pytest.approx(of_table(row, schedule)[0], abs=5.1e-5)


def test_throughput_follows_from_one_measured_row_of_1f1b_for_each_model():
    """F, B and W are not all of a step: alone they promise 4 to 9 % more than was measured.

    The row of each model with most micro-batches, which is left out, gives the factor for the
    others: 0.81 % off on average, 1.96 % at most. The middle row gives 0.94 and 2.48 %, that with
    fewest 1.32 and 3.05 %.
    """
    errors = []
    for model in SIZES:
        *_, known = (row for row in ROWS if row[0] == model)
        factor = samples("1f1b", known) / of_table(known, "1f1b")[1]
        for row in ROWS:
            for schedule in ("1f1b", "zero_bubble"):
                if row[0] == model and (row is not known or schedule != "1f1b"):
                    found = samples(schedule, row) / factor
                    errors.append(abs(found / of_table(row, schedule)[1] - 1))
    assert len(errors) == 20
    assert mean(errors) <= 0.015
    assert max(errors) <= 0.03


def samples(schedule, row):
    """Samples per GPU and second."""
    return row[2] * SIZES[row[0]] / row[1] / step_s(schedule, row)
