"""What names a case in a table of details, where cases have several rows."""

from report.measured import Measured


def label_cells(result: Measured, results: list[Measured]) -> dict[str, str]:
    """Depth and GPUs, and whatever else differs between the cases."""
    others = [key for key in result.case.as_dict() if key not in ("depth", "gpus", "repeat")]
    cells = {"depth": str(result.case.depth)}
    cells["GPUs"] = f"{result.case.gpus} (emulated)" if result.emulated else str(result.case.gpus)
    return cells | {
        key: str(getattr(result.case, key))
        for key in others
        if len({getattr(r.case, key) for r in results}) > 1
    }
