"""Memory of each layer of a user's model, for each size of micro-batch."""

from dataclasses import dataclass

import torch

from mp.calibration.setting import Setting
from mp.hardware.memory import release_cache
from mp.profiling.profile import measure_profile
from study.results.calibration.layers import MeasuredSizes
from study.schedules import IN_TWO_PARTS, SCHEDULES


@dataclass(frozen=True)
class _Chosen:
    rows: int
    gradients: str
    schedule: str

    @property
    def in_two_parts(self) -> bool:
        return self.schedule in IN_TWO_PARTS


def measure_sizes(setting: Setting, seconds: float) -> list[MeasuredSizes]:
    """Return the sizes with each size of micro-batch; none of a built-in model.

    Args:
        setting: of the calibration.
        seconds: after which no other size of micro-batch begins.
    """
    if setting.case.kind != "factory":
        return []
    found, until_s = list[MeasuredSizes](), setting.deadline.passed_s + seconds
    for one in _chosen(setting):
        named = f"the memory of layers with {one.rows} rows, {one.gradients}"
        is_known = any(its.gradients == one.gradients for its in found)  # with other rows
        if is_known and setting.deadline.passed_s > until_s:
            setting.left_out.append(f"No time was left for {named}.")
            continue
        try:
            workload = setting.workload(one.gradients)
            model = measure_profile(
                workload, setting.device, one.rows, schedule=one.schedule, is_timed=False
            )
            found.append(MeasuredSizes(one.gradients, one.in_two_parts, model))  # type: ignore[arg-type]
        except torch.OutOfMemoryError:
            setting.left_out.append(f"There is too little memory for {named}.")
        release_cache()
    return found


def _chosen(setting: Setting) -> list[_Chosen]:
    """Return what is measured: one schedule tells the sizes for all that it is like."""
    wanted, found = setting.wanted, list[_Chosen]()
    for rows in wanted.rows:
        for gradients in wanted.gradients_with(rows):
            names = [s for s in wanted.schedules if gradients in wanted.gradients_under(s)]
            # Layers that run again have two parts with fused gradients alone.
            has_parts = gradients == "fused" or setting.case.recompute == "none"
            has_parts = has_parts and wanted.is_in_two_parts(rows, gradients)
            order = [s for s in names if has_parts and s in IN_TWO_PARTS]
            order += [s for s in names if SCHEDULES[s].is_pipeline and s not in IN_TWO_PARTS]
            found.append(_Chosen(rows, gradients, [*order, "naive"][0]))
    return found
