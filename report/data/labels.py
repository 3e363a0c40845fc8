"""What names a case in a table of details, where cases have several rows."""

from report.data.measured import MeasuredCase, varying
from report.wording.names import heading, key_text
from study.case import KEYS


class Labels:
    """Depth and GPUs, and whatever else differs between the cases."""

    def __init__(self, results: list[MeasuredCase]) -> None:
        others = [key for key in KEYS if key not in ("depth", "gpus", "repeat")]
        self.headings = {key: heading(key) for key in varying(results, others)}

    def of(self, result: MeasuredCase) -> dict[str, str]:
        """The first cells of a row of this case."""
        case = result.case
        cells = {"depth": str(case.depth)}
        cells["GPUs"] = f"{case.gpus} (emulated)" if result.emulated else str(case.gpus)
        return cells | {name: key_text(case, key) for key, name in self.headings.items()}
