"""Reading a grid file, and the one line that says what is wrong with it."""

import pytest

from study.errors import ConfigError
from study.grids.file import MAX_INCLUDED, PROGRAM, TABLES, load_grids
from study.storage.yaml_file import read_mapping

OF_MODELS = ", ".join(name for name in TABLES if name != PROGRAM)
AXES = "axes: {depth: [8], gpus: [2]}\n"


def read(folder, text):
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (grid,) = load_grids([str(path)])
    return grid


def complaint(folder, text):
    """The one line about this file, without its name."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    start = f"{folder / 'mine.yaml'}: "
    message = str(caught.value)
    assert message.startswith(start)
    assert len(message.splitlines()) == 1
    return message.removeprefix(start)


def test_a_file_outside_of_the_grids_folder_is_a_grid_too(tmp_path):
    grid = read(tmp_path, "title: Mine\n" + AXES + "model: {dim: 16}\ntrain: {seed: 3}\n")
    (case,) = grid.cases()
    assert (grid.name, grid.title) == ("mine", "Mine")
    assert (case.depth, case.gpus, case.dim, case.seed) == (8, 2, 16, 3)


def test_depth_and_gpus_need_not_be_axes(tmp_path):
    grid = read(tmp_path, "axes: {seed: [1, 2]}\nmodel: {depth: 8, gpus: 2}\n")
    assert [(c.depth, c.gpus, c.seed) for c in grid.cases()] == [(8, 2, 1), (8, 2, 2)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (AXES + "modle: {dim: 8}", ("'modle'", "known keys: title, table, trace, axes, model")),
        (AXES + "model: {dims: 8}", ("model", "'dims'", "known keys: depth, gpus, kind")),
        (
            AXES + "train: {optimiser: sgd}",
            ("train", "'optimiser'", "known keys: dtype, optimizer, execution, recompute, seed"),
        ),
        ("axes: {layers: [8]}", ("axes", "'layers'", "known keys: depth, gpus, dim")),
        (AXES + "model: {1: 2}", ("model", "unknown key 1")),
    ],
)
def test_a_grid_with_an_unknown_key_names_the_known_ones(tmp_path, text, names):
    message = complaint(tmp_path, text)
    assert all(name in message for name in names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {dtype: tf32}", "model.dtype: is in the wrong section; put it under train"),
        ("train: {dim: 8}", "train.dim: is in the wrong section; put it under model"),
        ("model: {micro_batches: 8}", "put it under pipeline"),
    ],
)
def test_a_key_in_the_wrong_section_is_sent_to_its_own(tmp_path, text, message):
    assert message in complaint(tmp_path, AXES + text)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("axes: {gpus: [2]}\nmodel: {depth: six}", "model: depth", "'six'"),
        ("axes: {gpus: [2]}\nmodel: {depth: 0}", "model: depth", "0"),
        ("axes: {depth: [six], gpus: [2]}", "axes: depth", "'six'"),
        ("axes: {depth: [8], gpus: [2, -1]}", "axes: gpus", "-1"),
        ("axes: {depth: [8], gpus: [2.5]}", "axes: gpus", "2.5"),
        ("axes: {depth: [8], gpus: [true]}", "axes: gpus", "True"),
        ("axes: {depth: [8], gpus: [[2]]}", "axes: gpus", "[2]"),
        (AXES + "measure: {time_limit_s: .nan}", "measure: time_limit_s", "nan"),
        (AXES + "train: {dtype: float16}", "train: dtype", "'float16'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, text, key, value):
    assert complaint(tmp_path, text).startswith(f"{key}: {value} is not ")


def test_several_values_of_a_key_are_sent_to_the_axes(tmp_path):
    said = complaint(tmp_path, AXES + "pipeline: {micro_batches: [4, 8]}")
    assert said.endswith("; several values are an axis, e.g. axes: {micro_batches: [4, 8]}")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "is empty"),
        ("# nothing but a comment\n", "is empty"),
        ("- a\n- list\n", "is empty or not a mapping"),
        ("title: Mine\n", "axes: missing"),
        ("axes: {}\n", "axes: missing or empty"),
        ("axes: [depth]\n", "axes: ['depth'] is not a mapping"),
        ("axes: {depth: [8], gpus: 2}", "axes.gpus: 2 is no"),
        ("axes: {depth: [8], gpus: []}", "axes.gpus: [] is no"),
        ("axes: {depth: [8], gpus: [2, 4, 2]}", "axes.gpus: [2, 4, 2] names a value twice"),
        ("axes: {depth: [8]}", "axes: depth and gpus are needed"),
        ("axes: {repeat: [1, 2]}", "axes.repeat: repeats are no axis; use submit.py --repeats N"),
        (AXES + "model: {gpus: 2}", "model.gpus: is under axes, too"),
        (AXES + "model: 16", "model: 16 is not a mapping"),
        (AXES + "table: pie_chart", "table: 'pie_chart' is not one of: " + OF_MODELS),
    ],
)
def test_a_file_that_lacks_something_says_what(tmp_path, text, start):
    assert complaint(tmp_path, text).startswith(start)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("axes: {depth: [8]", "line 1: expected ',' or '}'"),
        ("title: a\n\tb", "line 2: found character '\\t'"),
        (AXES + AXES, "key 'axes' is there twice"),
        ("axes:\n  gpus: [1]\n  gpus: [2]\n", "line 2: key 'gpus' is there twice"),
        ("? [a]\n: b\n", "unhashable key"),
        ("\x00", "special characters"),
        ("title: 2030-13-45", "month must be in 1..12"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_the_reason(tmp_path, text, reason):
    message = complaint(tmp_path, text)
    assert message.startswith("is not plain YAML: ")
    assert reason in message


def test_a_python_tag_runs_nothing(tmp_path):
    made = tmp_path / "made"
    message = complaint(tmp_path, f"title: !!python/object/apply:os.mkdir ['{made}']\n" + AXES)
    assert "python/object/apply:os.mkdir" in message
    assert not made.exists()


def test_a_file_that_is_not_utf8_cannot_be_read(tmp_path):
    assert complaint(tmp_path, b"title: \xff\n").startswith("cannot be read: 'utf-8'")


def test_a_grid_may_ask_for_traces(tmp_path):
    assert read(tmp_path, AXES).trace is False
    assert read(tmp_path, AXES + "trace: true\n").trace is True
    assert "trace: 'yes please' is neither true nor false" in complaint(
        tmp_path, AXES + "trace: yes please\n"
    )


def test_an_unknown_grid_names_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"--grid: 'task6' is neither .* launch, pipeline, resnet, smoke, task1"
    ):
        load_grids(["task6"])


def test_a_grid_may_include_those_beside_it(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(AXES)
    (tmp_path / "both.yaml").write_text("title: Both\ninclude: [b, a]\n")
    assert [grid.name for grid in load_grids([str(tmp_path / "both.yaml")])] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("include: [task1]", "include: 'task1' does not exist next to this file"),
        ("include: task1", "include: 'task1' is not a list of grid names"),
        ("include: []", "include: [] is not a list of grid names"),
        (AXES + "include: [a]", "a grid that includes others: unknown key 'axes'"),
        ("include: [2]", "include: 2 does not exist next to this file"),
        ("include: [" + "long" * 5000 + "]", "include: 'longlong"),
        ("include: [" + "a, " * 21 + "]", f"include: more than {MAX_INCLUDED} grids; use several"),
    ],
)
def test_an_include_that_leads_nowhere_is_refused(tmp_path, text, start):
    assert complaint(tmp_path, text).startswith(start)


def test_an_error_in_an_included_grid_names_that_grid(tmp_path):
    (tmp_path / "mine.yaml").write_text("include: [broken]")
    (tmp_path / "broken.yaml").write_text("axes: {depth: [0], gpus: [1]}")
    with pytest.raises(ConfigError, match=r"broken\.yaml: axes: depth: 0 is not"):
        load_grids([str(tmp_path / "mine.yaml")])


@pytest.mark.parametrize("text", ["1:30", "1:00:00", "1:30.5", "-1:30", "!!int 1:30"])
def test_a_number_with_a_colon_is_the_text_that_was_written(tmp_path, text):
    """YAML 1.1 would read it to base 60."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"value: {text}\nwhole: 90\nreal: 1.5\n")
    expected = {"value": text.removeprefix("!!int "), "whole": 90, "real": 1.5}
    assert read_mapping(path) == expected
    words = complaint(tmp_path, AXES + f"measure: {{time_limit_s: {text}}}")
    assert f"time_limit_s: {expected['value']!r} is not a number of seconds" in words
