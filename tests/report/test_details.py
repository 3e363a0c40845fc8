"""The tables behind the answers: where time and memory go, copies, and limits."""

import pytest

from tests.report.made_up import MIB, measuring, result, sharing, write
from tests.report.shown import cells, details_of

FLOPS = "Achieved FLOP/s against the fastest matrix product measured"


def test_the_time_of_every_gpu_adds_up_to_its_step(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    rows = cells(details_of(tmp_path, "task4")["Where the time goes"])
    assert [(row["GPUs"], row["GPU"]) for row in rows[:3]] == [("2", "0"), ("2", "1"), ("5", "0")]
    parts = ("forward", "backward", "optimizer step", "transfer in", "transfer out", "idle")
    for row in rows:
        took = {name: float(row[name].removesuffix(" ms")) for name in (*parts, "step")}
        assert sum(took[part] for part in parts) == pytest.approx(took["step"], rel=0.01)
    assert (rows[0]["computes"], rows[0]["is idle"]) == ("33.3 %", "50.0 %")
    assert rows[0]["NVML utilisation"] == "100.0 %"


def test_a_logical_gpu_has_no_utilisation_of_nvml(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, emulated=True))
    rows = cells(details_of(tmp_path, "task4")["Where the time goes"])
    assert not any("NVML utilisation" in row for row in rows)
    assert {row["GPUs"] for row in rows} == {"2 (emulated)"}


def test_memory_is_predicted_beside_what_was_seen(tmp_path):
    half = 10 * 4 * (4096**2 + 4096)
    predicted = 2 * half + 32 * MIB
    write(tmp_path, "slurm", result(gpus=2, peaks=[predicted, 2 * predicted]))
    first, second = cells(details_of(tmp_path, "task4")["Memory at the peak"])
    assert first["parameters"] == first["gradients"] == "640 MiB"
    assert first["cuBLAS"] == "32.0 MiB"
    assert first["difference"] in ("−0.1 %", "−0.2 %")
    assert second["difference"].startswith("+99.")
    assert second["in use (driver)"] == "7.69 GiB"


def test_logical_gpus_on_one_gpu_have_a_row_for_what_they_hold_together(tmp_path):
    write(tmp_path, "slurm", sharing(result(gpus=2, emulated=True), 3 * 2**30))
    rows = cells(details_of(tmp_path, "task4")["Memory at the peak"])
    assert [row["GPU"] for row in rows] == ["0", "1", "all on one"]
    assert [row["allocated"] for row in rows] == ["–", "–", "3.00 GiB"]
    assert rows[2]["difference"].startswith("+1")


def test_the_limit_is_the_fastest_product_of_the_same_job(tmp_path):
    step_s = 2 * 64 * 4096**2 * 59 / 25e12
    write(tmp_path, "slurm", result(gpus=2, step_s=step_s))
    (row,) = cells(details_of(tmp_path, "task4")[FLOPS])
    assert (row["achieved"], row["peak"]) == ("25.0 TFLOP/s", "50.0 TFLOP/s")
    assert (row["% of peak"], row["% of sustained"]) == ("50.0 %", "62.5 %")


def test_more_than_the_limit_is_explained(tmp_path):
    step_s = 2 * 64 * 4096**2 * 59 / 45e12
    write(tmp_path, "slurm", result(gpus=2, step_s=step_s))
    table = details_of(tmp_path, "task4")[FLOPS]
    (row,) = cells(table)
    assert (row["% of peak"], row["% of sustained"]) == ("90.0 %", "112.5 %")
    assert [note for note in table.notes if note.startswith("Above 100 %: ")]
    write(tmp_path, "slurm", result(gpus=2))
    assert details_of(tmp_path, "task4")[FLOPS].notes == []


def test_copies_are_shown_for_both_ways_of_a_pair(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5, emulated=True))
    table = details_of(tmp_path, "task5")["Copies"]
    assert table.caption.endswith("; bandwidth is that of 256 MiB")
    there, back, within = cells(table)
    assert (there["copy"], back["copy"]) == ("GPU 0 to GPU 1", "GPU 1 to GPU 0")
    assert (there["one element takes"], there["bandwidth"], there["path"]) == (
        "5.00 µs",
        "400 GB/s",
        "NV12",
    )
    assert (there["one activation"], there["takes"]) == ("1.00 MiB", "8.00 µs")
    assert (within["copy"], within["path"]) == ("within one device", "–")


def test_without_instrumented_steps_there_is_no_table_of_time(tmp_path):
    write(tmp_path, "slurm", measuring(result(gpus=2), breakdown=None))
    assert "Where the time goes" not in details_of(tmp_path, "task4")


def test_without_results_there_are_no_details(tmp_path):
    assert details_of(tmp_path, "task4") == {}
