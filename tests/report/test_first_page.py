"""The first page: sentences of two tables that look alike say which table they are of."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.make import make_document
from study.grids.file import load_grids
from tests.report.made_up import result, write
from tests.report.made_up_models import gpt
from tests.report.made_up_pipeline import scheduled

GRID = """\
axes: {{gpus: [4], schedule: [gpipe, 1f1b], micro_batches: [8]}}
table: schedules
model: {{kind: gpt, depth: 24, batch_size: 64}}
train: {{dtype: bfloat16, optimizer: adam}}
pipeline: {{balance: {}}}
"""


def glance(folder, *grids):
    """The sentences of the first page of these grids' tables."""
    profiles = load_results(folder, pytest.fail)
    chosen = load_grids([str(grid) for grid in grids])
    return make_document([t for g in chosen for t in select_tables(g, profiles)]).glance


def test_two_tables_that_differ_in_balance_alone_are_told_apart(tmp_path):
    """One page said that 1F1B is the fastest on 4 GPUs, and that GPipe is."""
    grids = [tmp_path / f"by_{balance}.yaml" for balance in ("layers", "time")]
    for grid in grids:
        grid.write_text(GRID.format(grid.stem.removeprefix("by_")))
    write(
        tmp_path / "results",
        "slurm",
        *(gpt(s, 4, t, balance="layers") for s, t in (("1f1b", 0.177), ("gpipe", 0.2))),
        *(gpt(s, 4, t, balance="time") for s, t in (("1f1b", 0.148), ("gpipe", 0.14))),
    )
    found = glance(tmp_path / "results", *grids)
    layers = [line for line in found if line.startswith("Balance layers: ")]
    time = [line for line in found if line.startswith("Balance time: ")]
    assert len(layers) + len(time) == len(found) == 4
    assert all("1F1B with 8 micro-batches" in line and "177 ms" in line for line in layers)
    assert all(
        "GPipe (8 micro-batches, balanced by time)" in line and "140 ms" in line for line in time
    )


def test_tables_of_one_grid_on_two_clusters_are_told_apart(tmp_path):
    for profile, step_s in (("one", 0.05), ("two", 0.2)):
        write(tmp_path, profile, result(gpus=2, step_s=0.1), result(gpus=5, step_s=step_s))
    found = [line for line in glance(tmp_path, "task4") if "Adding GPUs: " in line]
    assert [line.partition(": Adding")[0] for line in found] == ["Cluster one", "Cluster two"]


def test_a_model_that_the_title_block_names_is_not_named_again(tmp_path):
    grids = [tmp_path / f"dim{dim}.yaml" for dim in (1024, 2048)]
    for grid in grids:
        grid.write_text(
            "axes: {gpus: [4], schedule: [gpipe, 1f1b], micro_batches: [8]}\ntable: schedules\n"
            f"model: {{depth: 20, dim: {grid.stem.removeprefix('dim')}}}\n"
        )
    cases = [scheduled(s, gpus=4, dim=d, micro_batches=8, dtype="float32", batch_size=64)
             for s in ("gpipe", "1f1b") for d in (1024, 2048)]  # fmt: skip
    write(tmp_path / "results", "slurm", *cases)
    found = glance(tmp_path / "results", *grids)
    assert ["dim 2048" in line for line in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("titles", "beginning"),
    [
        (("My GPT", "My stack"), "My stack: "),
        (("Mine", "Mine"), "Linear stack, depth 20"),
        (("Mine: a GPT", "Mine: a stack"), "Linear stack, depth 20"),
    ],
)
def test_the_title_of_its_grid_begins_a_sentence_where_it_tells_tables_apart(
    tmp_path, titles, beginning
):
    text = "axes: {gpus: [4], schedule: [gpipe, 1f1b], micro_batches: [8]}\ntable: schedules\n"
    models = ("{kind: gpt, depth: 24, batch_size: 64}", "{depth: 20, batch_size: 64}")
    grids = [tmp_path / "gpt.yaml", tmp_path / "stack.yaml"]
    for grid, model, title in zip(grids, models, titles, strict=True):
        grid.write_text(f"title: '{title}'\n{text}model: {model}\n")
    made = [gpt(s, 4, dtype="float32", optimizer="sgd") for s in ("gpipe", "1f1b")]
    made += [
        scheduled(s, gpus=4, micro_batches=8, dtype="float32", batch_size=64)
        for s in ("gpipe", "1f1b")
    ]
    write(tmp_path / "results", "slurm", *made)
    found = glance(tmp_path / "results", *grids)
    assert sum(line.startswith(beginning) for line in found) == 2 == len(found) / 2
