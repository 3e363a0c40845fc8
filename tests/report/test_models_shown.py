"""Models besides the linear stack: keys, names of layers, items, MFU, and files since gone."""

import csv
import io
import json

import msgspec
import pytest

from report.analysis.metrics import Baselines, metrics
from report.compare.pairs import compare_sets, result_set
from report.data.datasheet import PEAKS, peak_flop_per_s
from report.data.filters import filter_tables
from report.data.grids.submitted import select_submitted
from report.data.load import load_results
from report.data.measured import measured
from report.data.rows import Row
from report.data.selection import GridTable, select_tables
from report.export import render_csv, render_json
from report.formats.markdown import render
from report.make import make_document
from report.sections import make_section
from report.tidy import COLUMNS
from study.errors import ConfigError
from study.grids.file import load_grids
from tests.report.made_up import case, profile, result, submit, write
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells

H100 = "NVIDIA H100 80GB HBM3"
GPT = {"kind": "gpt", "depth": 24, "preset": "gpt2-medium", "batch_size": 32}
OF_GPT = "model: {kind: gpt, preset: gpt2-medium, batch_size: 32}\nmeasure: {time_limit_s: 20}\n"


def mine(folder, text, name="mine"):
    """A grid of one's own."""
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def tables(folder, name):
    return select_tables(load_grids([name])[0], load_results(folder / "results", pytest.fail))


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    """One table of a GPT on 1, 2 and 4 GPUs, with two balances."""
    folder = tmp_path_factory.mktemp("gpt")
    name = mine(folder, "title: GPT\ntable: schedules\naxes: {gpus: [1, 2, 4], schedule: [naive, "
                'gpipe], balance: [layers, "7,7,6,6"]}\npipeline: {micro_batches: 8}\n'
                f"train: {{dtype: bfloat16}}\n{OF_GPT}")  # fmt: skip
    keys = GPT | {"dtype": "bfloat16", "gpu_name": H100}
    rows = [result("pipeline", gpus=gpus, step_s=0.4 / gpus, **keys) for gpus in (1, 2, 4)]
    rows += [
        scheduled("gpipe", gpus=gpus, step_s=0.3 / gpus, micro_batches=8, balance=b, **keys)
        for gpus, b in ((2, "layers"), (4, "layers"), (4, "7,7,6,6"))
    ]
    write(folder / "results", "slurm", *rows)
    (table,) = tables(folder, name)
    return table


def test_a_gpt_says_what_it_is_and_counts_tokens(gpt):
    section = make_section(gpt)
    assert any(
        "GPT: depth 24 blocks, dim 1024, 16 heads, 1024 tokens a row, vocabulary 50257, batch 32 "
        "rows, dtype bfloat16" in fact for fact in section.facts
    )  # fmt: skip
    row = next(r for r in cells(section) if (r["GPUs"], r["schedule"]) == ("4", "naive"))
    assert float(row["tokens/s"]) == pytest.approx(32 * 1024 / 0.1, rel=0.005)
    assert float(row["tokens/s per GPU"]) == pytest.approx(32 * 1024 / 0.4, rel=0.005)
    assert float(row["GPU-hours per 10⁹ tokens"]) == pytest.approx(3.39, rel=0.005)
    assert row["peak of a GPU's memory"].endswith("of 40.0 GiB")
    assert {"time per layer", "samples/s"}.isdisjoint(section.table.columns)
    assert {r["balance"] for r in cells(section)} == {"–", "layers", "7,7,6,6"}
    assert any(note.startswith("MFU: ") and "989 TFLOP/s" in note for note in section.table.notes)


def test_mfu_is_counted_operations_of_the_peak_of_all_gpus(gpt):
    (found,) = (r for r in gpt.results if (r.case.gpus, r.case.schedule) == (2, "naive"))
    # 25 layers of 3 and the last of 9, and no more in the loss: 84 GFLOP a row.
    assert metrics(found, Baselines([found])).mfu == pytest.approx(84e9 * 32 / 0.2 / 2 / 989.4e12)
    assert metrics(found, Baselines([found])).share_of_fastest == pytest.approx(
        84e9 * 32 / 0.2 / 2 / 50e12
    )


def test_mfu_is_unknown_for_a_gpu_without_datasheet_and_for_operations_nobody_counts():
    given = result("pipeline", gpus=1, **GPT, gpu_name=H100)
    layers = (msgspec.structs.replace(given.model.layers[0], forward_flops=None),)
    uncounted = msgspec.structs.replace(given.model, layers=layers + given.model.layers[1:])
    for made in (
        result("pipeline", gpus=1, **GPT, gpu_name=f"{H100} MIG 1g.10gb"),
        result("pipeline", gpus=1, **GPT, gpu_name=None),
        msgspec.structs.replace(given, model=uncounted),
    ):
        found = measured(made)
        assert found is not None
        assert metrics(found, Baselines([found])).mfu is None


def test_peaks_are_dense_and_of_whole_gpus_of_one_kind():
    assert peak_flop_per_s(H100, "bfloat16") == 989.4e12
    assert peak_flop_per_s("NVIDIA A10", "bfloat16") == 125e12
    assert peak_flop_per_s("Tesla V100-SXM2-32GB", "bfloat16") is None
    for unknown in ("NVIDIA A10G", "NVIDIA L40", "NVIDIA H200 NVL", "AMD Instinct MI300X"):
        assert peak_flop_per_s(unknown, "float32") is None
    for peak in PEAKS.values():
        assert peak.bfloat16 is None or peak.float32 < peak.bfloat16 < 1000


def test_layers_have_names_in_the_map_the_details_and_the_drawing(gpt, tmp_path):
    from report.figures import layer_profile, layers

    name = mine(tmp_path, f"table: layer_map\naxes: {{gpus: [4]}}\n{OF_GPT}")
    write(tmp_path / "results", "slurm", result("task3", gpus=4, **GPT, time_limit_s=20.0))
    (table,) = tables(tmp_path, name)
    section = make_section(table)
    (row,) = cells(section)
    assert row["layers of GPU 0"] == "embedding, blocks 0–5 (7)"
    assert row["layers of GPU 3"] == "blocks 19–23, head (6)"
    assert not section.listings
    assert "GPU 1 blocks 6–11;" in layers.make_figure(table.results).alt
    (detail,) = (d for d in section.details.tables if d.caption.startswith("Layers of the model"))
    assert [r["layers"] for r in cells(detail)] == ["embedding, blocks 0–23", "head", "loss", "all"]
    drawn = layer_profile.make_figure(gpt.results)
    assert "the lines are where stages are cut" in drawn.caption
    assert "(head)" in drawn.alt


def test_ten_thousand_layers_of_hostile_names_are_a_short_table_and_drawing(tmp_path):
    from report.figures import layer_profile

    evil = "<script>$x$ | `a` \u202e\x1b[31m"
    made = result("task3", gpus=2, **(GPT | {"depth": 9998}), time_limit_s=20.0)
    layers = tuple(
        msgspec.structs.replace(layer, name=f"{evil} {at % 7}" if at else "", kept_bytes=at)
        for at, layer in enumerate(made.model.layers)
    )
    made = msgspec.structs.replace(made, model=msgspec.structs.replace(made.model, layers=layers))
    name = mine(tmp_path, "table: layer_map\naxes: {gpus: [2]}\n"
                + OF_GPT.replace("preset", "depth: 9998, preset"))  # fmt: skip
    write(tmp_path / "results", "slurm", made)
    (table,) = tables(tmp_path, name)
    section = make_section(table)
    (detail,) = (d for d in section.details.tables if d.caption.startswith("Layers of the model"))
    assert len(detail.rows) < 50
    assert "9960 more" in [row["layers"] for row in cells(detail)]
    (row,) = cells(section)
    assert len(row["layers of GPU 0"]) < 150
    assert "(no name) to " in row["layers of GPU 0"]
    drawn = layer_profile.make_figure(table.results)
    assert "a bar is the greatest of 20 layers" in drawn.caption
    assert len(drawn.svg) < 200_000
    shown = "".join(render([section]))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_rates_of_tokens_and_of_images_are_never_in_one_column(gpt):
    given = measured(result("pipeline", gpus=1, kind="conv", preset="resnet50-gn", depth=16))
    rows = [msgspec.structs.replace(gpt.rows[0].result, case=gpt.rows[0].case)]
    images = result("pipeline", gpus=1, kind="conv", preset="resnet50-gn", depth=16)
    table = GridTable(gpt.grid, "slurm", {}, [Row(r.case, r, None, "ok") for r in (*rows, images)])
    assert given is not None
    first, second = cells(make_section(table, columns=["items_per_s"]))
    assert (first["images/s"], second["tokens/s"]) == ("–", "–")
    assert (first["tokens/s"], second["images/s"]) != ("–", "–")


def test_tidy_columns_of_a_kind_come_where_a_case_has_them(gpt):
    rows = list(csv.DictReader(io.StringIO(render_csv([gpt]))))
    assert set(COLUMNS) < set(rows[0])
    assert (rows[0]["kind"], rows[0]["heads"], rows[0]["split"]) == ("gpt", "16", "")
    assert "width" not in rows[0]
    (one, *_) = json.loads(render_json([gpt]))[0]["rows"]
    assert (one["item"], one["tied"]) == ("token", False)
    assert one["items_per_s"] == pytest.approx(32 * 1024 / 0.4)


def test_a_model_of_another_kind_is_no_row_of_the_homework(tmp_path):
    write(tmp_path, "slurm", result("task3", gpus=2, **GPT), result("task3", gpus=2))
    (table,) = select_tables(load_grids(["task3"])[0], load_results(tmp_path, pytest.fail))
    assert {row.case.kind for row in table.rows} == {"linear"}


def test_one_profiles_folder_is_known_by_results_of_any_kind(tmp_path):
    write(tmp_path, "slurm", result("task3", gpus=2, **GPT))
    (found,) = load_results(tmp_path / "slurm", pytest.fail)
    assert (found.profile, len(found.results)) == ("slurm", 1)


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    """Cases of a file that was edited between two submissions, and is gone by now."""
    folder = tmp_path_factory.mktemp("factory")
    file = folder / "model.py"
    name = mine(folder, "axes: {gpus: [1, 2], args.width: [64, 128], args.name: [a, b]}\nmodel: "
                f'{{factory: "{file}:build", depth: 6, batch_size: 64}}\n')  # fmt: skip
    made = []
    for text in ("raise SystemExit('old')", "raise SystemExit('new')"):
        file.write_text(text)
        cases = load_grids([name])[0].cases()
        chosen = cases if "old" in text else cases[:3]
        for one in chosen:
            keys = {k: v for k, v in one.flat().items() if k != "repeat"}
            made.append(result("task3", **keys, step_s=0.1))
            submit(folder / "results", "slurm", one, "mine")
    write(folder / "results", "slurm", *made[:-1])
    file.unlink()
    return folder, name, made


def test_a_grid_of_a_file_that_is_gone_shows_each_version_of_it(factory):
    folder, name, made = factory
    old, new = (r.case.sha256[:8] for r in (made[0], made[-1]))
    (table,) = tables(folder, name)
    section = make_section(table)
    files = [(row["file"], row["result"]) for row in cells(section)]
    assert sum(file == old for file, _ in files) == 8
    assert [shown for file, shown in files if file == old] == ["ok"] * 8
    newer = [shown for file, shown in files if file == new]
    assert newer.count("ok") == 2
    assert newer.count("not submitted") == 5  # of the file that was submitted last
    assert {row["args.width"] for row in cells(section)} == {"64", "128"}
    text = "".join(render(make_document([table]).sections))
    assert f"build of {folder}/model.py" in text.replace("\\", "")


def test_what_was_submitted_is_shown_by_the_ledger_too(factory):
    folder, _, made = factory
    shown = select_submitted(load_results(folder / "results", pytest.fail))
    (table,) = shown.tables
    assert shown.unnamed == 0
    assert [*table.grid.axes] == ["depth", "gpus", "sha256", "args.name", "args.width"]
    assert len(table.rows) == len(made)
    assert make_section(table).table.rows


def test_rows_are_chosen_by_an_argument(factory):
    folder, name, _ = factory
    (table,) = filter_tables(tables(folder, name), {"args.width": 64})
    assert {row.case.arguments["width"] for row in table.rows} == {64}
    with pytest.raises(ConfigError, match=r"no case has args\.width=5; there are args\.width=64"):
        filter_tables(tables(folder, name), {"args.width": 5})
    with pytest.raises(ConfigError, match="no case has seq_len=5; kind factory lacks it"):
        filter_tables(tables(folder, name), {"seq_len": 5})


def test_a_fact_names_the_file_and_its_hash_and_no_listing_shows_it(tmp_path):
    file = tmp_path / "model.py"
    file.write_text("secret = 1")
    name = mine(tmp_path, "table: layer_map\naxes: {gpus: [1]}\nmodel: "
                f'{{factory: "{file}:build", depth: 6, batch_size: 64}}\n')  # fmt: skip
    (one,) = load_grids([name])[0].cases()
    keys = {k: v for k, v in one.flat().items() if k != "repeat"}
    write(tmp_path / "results", "slurm", result("task3", **keys))
    (table,) = tables(tmp_path, name)
    section = make_section(table)
    assert f"Model: build of {file}, a file whose sha256 is {one.sha256}." in section.facts
    assert not section.listings
    assert "secret" not in str(section)


def test_sets_of_two_kinds_are_compared_by_the_keys_that_either_has(tmp_path):
    write(tmp_path / "a", "slurm", result("task3", gpus=2))
    write(tmp_path / "b", "slurm", result("task3", gpus=2, **GPT))
    sets = [result_set(n, load_results(tmp_path / n, pytest.fail), []) for n in ("a", "b")]
    reasons = [row.reason for row in compare_sets(*sets)]
    assert any("kind (linear, not gpt)" in reason for reason in reasons)


def test_a_long_text_is_cut_and_two_of_them_stay_two():
    from report.wording.names import value_text

    one, other = (value_text("args.x", "a" * 900 + end) for end in "bc")
    assert one != other
    assert len(one) < 80
    assert value_text("args.on", value=True) == "true"


def test_made_up_layers_are_those_of_the_case():
    assert len(profile(case("task3", **GPT)).layers) == 26


@pytest.mark.parametrize(
    ("model", "rate", "cost"),
    [
        ("kind: gpt, preset: gpt2", "tokens/s", "GPU-hours per 10⁹ tokens"),
        ("kind: conv, preset: resnet50-gn", "images/s", "GPU-hours per 10⁹ images"),
        ('factory: "mine.py:build", depth: 4', "items/s", "GPU-hours per 10⁹ items"),
    ],
)
def test_a_table_without_results_names_what_its_kind_of_model_counts(tmp_path, model, rate, cost):
    (tmp_path / "mine.py").write_text("# no model\n")
    text = f"axes: {{gpus: [2]}}\ntable: model\nmodel: {{{model}, batch_size: 32}}\n"
    (grid,) = load_grids([mine(tmp_path, text.replace("mine.py", str(tmp_path / "mine.py")))])
    (table,) = select_tables(grid, load_results(tmp_path / "results", pytest.fail))
    headings = make_section(table).table.columns
    assert {rate, cost} <= {*headings}
    assert len([heading for heading in headings if heading.endswith("s/s")]) == 1
