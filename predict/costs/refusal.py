"""A case that cannot be predicted: why, and what helps."""

from typing import Literal

Remedy = Literal["calibrate", "calibrate again", "measure"]


class Unpredictable(Exception):
    """Nobody can say what a step of the case takes.

    Attributes:
        why: the end of "no prediction:", in words.
        remedy: `calibrate` measures what is missing, `calibrate again` replaces what there is, and
            `measure` says that no calibration helps.
    """

    def __init__(self, why: str, remedy: Remedy = "calibrate") -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy

    @property
    def is_again(self) -> bool:
        """True if a calibration that is there is to be replaced."""
        return self.remedy == "calibrate again"

    def line(self, calibrate: str) -> str:
        """Return the reason and what helps, as one line.

        Args:
            calibrate: the command that calibrates for the case.
        """
        helps = "run the case itself" if self.remedy == "measure" else f"run {calibrate}"
        return f"{self.why}; {helps}"
