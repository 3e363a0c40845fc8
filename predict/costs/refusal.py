"""A case that cannot be predicted: why, and what helps."""

from typing import Literal

Remedy = Literal["calibrate", "calibrate again", "calibrate longer", "measure"]

_OPTIONS: dict[Remedy, str] = {
    "calibrate": "",
    "calibrate again": " --force",
    "calibrate longer": " --set time_limit_s=90",
    "measure": "",
}


class Unpredictable(Exception):
    """A step of the case cannot be predicted.

    Attributes:
        why: the end of "no prediction:", in words.
        remedy: `calibrate` measures what is missing, `calibrate again` replaces what there is,
            `calibrate longer` takes more time for it, and `measure` says that no calibration helps.
    """

    def __init__(self, why: str, remedy: Remedy = "calibrate") -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy

    def line(self, calibrate: str) -> str:
        """Return the reason and what helps, as one line.

        Args:
            calibrate: the command that calibrates for the case.
        """
        helps = f"run {calibrate}{_OPTIONS[self.remedy]}"
        return f"{self.why}; {'run the case itself' if self.remedy == 'measure' else helps}"
