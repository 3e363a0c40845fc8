"""A factory's file that is not what it was when the cases were planned: nothing is submitted."""

from dataclasses import dataclass, field

import pytest

from jobs.launch import submissions
from jobs.planned import PlannedCase
from study.errors import ConfigError
from study.validation import make_case


@dataclass
class Order:
    """As much of an order and a plan as is asked for; it notes what is submitted."""

    to_run: list[PlannedCase]
    running: list[str] = field(default_factory=list)
    submitted: list[PlannedCase] = field(default_factory=list)

    @property
    def executor(self):
        return self

    def submit(self, planned, running):
        self.submitted += planned
        yield planned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_text("x = 2\n"), "was edited since the cases were planned"),
        (lambda path: path.unlink(), "mine.py does not exist; check the path"),
    ],
    ids=["edited", "deleted"],
)
def test_a_file_that_changes_after_the_plan_stops_all_submissions(tmp_path, change, message):
    path = tmp_path / "mine.py"
    path.write_text("x = 1\n")
    values = {"factory": f"{path}:build", "depth": 2, "gpus": 1}
    order = Order([PlannedCase(make_case(values, "here"), "mine")])
    assert list(submissions(order, order)) == [order.to_run]
    change(path)
    order.submitted.clear()
    with pytest.raises(ConfigError, match=message):
        list(submissions(order, order))
    assert order.submitted == []
