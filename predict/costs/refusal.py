"""A case that cannot be predicted: why, and what helps."""

from collections.abc import Callable, Iterable
from typing import Literal

Remedy = Literal["calibrate", "calibrate again", "calibrate longer", "measure"]

LONGER_S = 90.0  # of measuring, where the usual time was too short
LATE = "No time was left"  # begins what a calibration left out for lack of time alone


class Unpredictable(Exception):
    """A step of the case cannot be predicted.

    Attributes:
        why: the end of "no prediction:", in words.
        remedy: `calibrate` measures what is missing, `calibrate again` replaces what there is,
            `calibrate longer` takes more time for it, and `measure` says that no calibration helps.
        limit_s: seconds of a longer calibration.
    """

    def __init__(self, why: str, remedy: Remedy = "calibrate") -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy
        self.limit_s = LONGER_S

    def line(self, calibrate: str) -> str:
        """Return the reason and what helps, as one line.

        Args:
            calibrate: the command that calibrates for the case.
        """
        options: dict[Remedy, str] = {
            "calibrate again": " --force",
            "calibrate longer": f" --set time_limit_s={self.limit_s:g}",
        }
        helps = f"run {calibrate}{options.get(self.remedy, '')}"
        return f"{self.why}; {'run the case itself' if self.remedy == 'measure' else helps}"


def not_calibrated(
    why: str, left_out: Iterable[str], is_meant: Callable[[str], object], otherwise: Remedy
) -> Unpredictable:
    """Return why something was not calibrated, and what helps: more time where that was short.

    Where there was no memory for it, a calibration of the same GPU finds none either.

    Args:
        why: what is missing.
        left_out: the sentences of the calibration on what it could not measure.
        is_meant: whether a sentence is about it.
        otherwise: what helps if none is.
    """
    said = next(filter(is_meant, left_out), None)
    if said is None:
        return Unpredictable(why, otherwise)
    remedy: Remedy = "calibrate longer" if said.startswith(LATE) else "measure"
    return Unpredictable(f"{why} ({said.removesuffix('.')})", remedy)
