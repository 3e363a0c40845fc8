"""Grids of other models than the linear stack: what they take, and what they refuse."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from study.case import Case
from study.command_line.parser import parse_overrides
from study.errors import ConfigError
from study.grids.file import load_grids

GPT = "axes: {gpus: [1, 2]}\nmodel: {kind: gpt, preset: gpt2, batch_size: 8}\n"
PIPELINE = (
    "axes: {gpus: [4]}\nmodel: {depth: 24, batch_size: 8}\n"
    "pipeline: {schedule: 1f1b, micro_batches: 4}\n"
)
PROGRAM = 'axes: {gpus: [1], layers: [1, 2]}\nprogram: {command: "python t.py {layers}"}\n'


def read(folder, text, *sets):
    """The cases of a grid file with these `--set`, each of which the grid contains."""
    path = folder / "mine.yaml"
    path.write_text(text)
    (grid,) = load_grids([str(path)])
    grid = grid.with_overrides(parse_overrides(list(sets)))
    cases = grid.cases()
    assert all(grid.contains(case) for case in cases)
    return cases


def complaint(folder, text, *sets):
    with pytest.raises(ConfigError) as caught:
        read(folder, text, *sets)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def factory(tmp_path):
    (tmp_path / "mine.py").write_text("def build(): pass\n")
    return f"{tmp_path}/mine.py:build"


def grid_of(factory, axes="", model=""):
    return f"axes: {{gpus: [1]{axes}}}\nmodel: {{factory: '{factory}', depth: 3{model}}}\n"


def test_a_preset_and_its_keys_written_out_are_one_case(tmp_path):
    keys = "depth: 12, dim: 768, heads: 12, seq_len: 1024, vocab: 50257, tied: false"
    written = GPT.replace("preset: gpt2", keys)
    assert read(tmp_path, GPT) == read(tmp_path, written)
    assert read(tmp_path, GPT, "dim=1536") == read(tmp_path, written, "dim=1536")


def test_a_preset_can_be_set(tmp_path):
    largest = read(tmp_path, GPT, "preset=gpt2-xl")
    assert {case.depth for case in largest} == {48}
    written = GPT.replace("preset: gpt2", "depth: 2, dim: 64, heads: 4")
    assert read(tmp_path, written, "preset=gpt2-xl") == largest


@pytest.mark.parametrize("balance", ["7,7,6,4", "[7, 7, 6, 4]"])
def test_stages_can_be_set_by_hand(tmp_path, balance):
    (case,) = read(tmp_path, PIPELINE, f"balance={balance}")
    assert case.balance == "7,7,6,4"
    listed = PIPELINE.replace("gpus: [4]", f"gpus: [4], balance: [time, [{balance.strip('[]')}]]")
    assert read(tmp_path, listed)[1] == case


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.5e3", 1500.0), ("True", True), ("0x10", 16), ("a,b", "a,b")],
)
def test_an_argument_is_the_same_in_a_file_and_in_set(tmp_path, factory, text, value):
    (set_,) = read(tmp_path, grid_of(factory), f"args.x={text}")
    word = f'"{text}"' if "," in text else text  # a comma ends a value of a mapping
    (written,) = read(tmp_path, grid_of(factory, model=f", args: {{x: {word}}}"))
    assert repr(set_.arguments) == repr(written.arguments) == repr({"x": value})


def test_one_and_true_are_two_cases_and_in_one_axis_refused(tmp_path, factory):
    one, true, real = (
        read(tmp_path, grid_of(factory), f"args.x={text}")[0] for text in ("1", "true", "1.0")
    )
    assert len({one, true, real}) == len({case.case_id for case in (one, true, real)}) == 3
    decoded = msgspec.json.decode(msgspec.json.encode(real), type=Case)
    assert (decoded, decoded.case_id) == (real, real.case_id)
    alike = complaint(tmp_path, grid_of(factory, axes=", args.x: [1, true]"))
    assert "names a value twice, as 1, 1.0 and true are equal" in alike


@pytest.mark.parametrize(
    ("text", "sets", "message"),
    [
        (GPT.replace("gpt2", "[a]"), [], "preset: ['a'] is not one of those of kind: gpt: gpt2,"),
        (GPT.replace("kind: gpt, ", ""), [], "preset: 'gpt2' with kind: linear, which has none"),
        (GPT.replace("axes: {", "axes: {preset: [gpt2], "), [], "axes.preset: a grid measures one"),
        (GPT, ["preset=gpt9"], "preset: 'gpt9' is not one of those of kind: gpt"),
        (GPT, ["kind=conv"], "another one has other keys, so write a grid file"),
        (GPT, ["kind=cnov"], "kind: 'cnov' is not one of: linear"),
        (GPT, ["args.x=1"], "args.x: 1 with kind: gpt; it is for factory, program"),
        (GPT, ["split=even"], "split: 'even' with kind: gpt; it is for linear"),
        (GPT, ["seq_len=8,9"], "is a list, and --set takes one value"),
        (GPT, ["factory=a.py:f"], "--set: factory: 'a.py:f'; "),
        (GPT, ["sha256=" + "a" * 64], "it is that of the factory's file; remove it"),
        (GPT, ["args=1"], "set one argument at a time"),
        (GPT, ["layers=3"], "an argument of a factory or a program is args.layers"),
        (GPT, ["dim=100"], "heads: 12 do not divide dim: 100"),
        (GPT, ["tied=true"], "tied: true with schedule: naive on 2 GPUs"),
        (GPT, ["schedule=tensor"], "schedule: tensor with kind: gpt, which takes naive, gpipe"),
        (PIPELINE, ["balance=7,7,6,5"], "has 4 stages and 25 layers; this case has 4 and 24"),
        (PIPELINE, ["balance=0,8,8,8"], "is not layers, parameters, flops, time or the number"),
        (PROGRAM.replace("{gpus: [1], layers: [1, 2]}", "[1]"), [], "axes: [1] is not a mapping"),
        (PROGRAM.replace("[1, 2]", "[1], args.layers: [2]"), [], "'args.layers' is there twice"),
        (PROGRAM.replace("command", "args: {x: 1}, comand"), [], "unknown key 'comand'"),
        (PROGRAM.split("program")[0] + "program: {args: {x: 1}}", [], "command: missing; write"),
        (PROGRAM, ["seed=1"], "seed: 1 with kind: program; it is for linear"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(tmp_path, text, sets, message):
    assert message in complaint(tmp_path, text, *sets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{x: .nan}", "args.x: nan is not true, false, a finite number"),
        (f"{{x: 1{'0' * 80}}}", "whole ones from -2^63 to 2^63-1"),
        ("{x: [1]}", "args.x: [1] is not true"),
        ("{x: null}", "args.x: None is not true"),
        ("{x: 2020-01-01}", "is not true"),
        ('{x: "a\\nb"}', "a text of at most 1000 characters on one line"),
        (f"{{x: {'y' * 1001}}}", "a text of at most 1000 characters"),
        ('{"a b": 1}', "args: 'a b' is no name; use at most 64 letters, digits and _"),
        (f"{{{', '.join(f'x{n}: 1' for n in range(51))}}}", "is not at most 50 names"),
        ("[x]", "model.args: ['x'] is no mapping"),
        ("{on: 1}", "model.args: True is no name; write it in quotes"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(tmp_path, factory, arguments, message):
    text = grid_of(factory, model=f", args: {arguments}")
    assert message in complaint(tmp_path, text)


def test_half_a_character_on_a_command_line_is_refused():
    with pytest.raises(ConfigError, match=r"args.x: '\\udcff' is not true"):
        parse_overrides(["args.x=\udcff"])


def test_a_file_has_one_name_and_its_hash(tmp_path, factory, monkeypatch):
    (case,) = read(tmp_path, grid_of(factory))
    (tmp_path / "link.py").symlink_to("mine.py")
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path, grid_of("link.py:build")) == read(tmp_path, grid_of("mine.py:build"))
    assert read(tmp_path, grid_of("mine.py:build")) == [case]
    (tmp_path / "mine.py").write_text("def build(): return 1\n")
    (edited,) = read(tmp_path, grid_of(factory))
    assert edited.case_id != case.case_id
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    assert grid.contains(case), "a grid has the cases of its file of before, too"


def test_a_grid_has_the_cases_of_a_file_by_its_relative_path_when_it_is_gone(
    tmp_path, factory, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (case,) = read(tmp_path, grid_of("mine.py:build"))
    Path(factory.partition(":")[0]).unlink()
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    assert grid.contains(case)
    assert not grid.contains(msgspec.structs.replace(case, factory="models/other.py:build"))


def test_a_file_that_is_nowhere_is_said_to_be_missing_in_both_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(grid_of("no_such.py:build"))
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    where = f"no_such.py does not exist, nor does it in {tmp_path}; check the path"
    with pytest.raises(ConfigError, match=re.escape(where)):
        grid.check_file()


def test_a_grid_can_be_looked_at_without_its_file_but_not_run(tmp_path, factory):
    (case,) = read(tmp_path, grid_of(factory))
    Path(factory.partition(":")[0]).unlink()
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    assert grid.contains(case)
    with pytest.raises(ConfigError, match=r"factory: .*mine.py does not exist; check the path"):
        grid.check_file()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkdir, "cannot be read: is no regular file|cannot be read: Is a directory"),
        (os.mkfifo, "is no regular file"),
        (lambda path: os.symlink("x.py", path), "cannot be read: Too many levels|does not exist"),
        (lambda path: path.write_bytes(b"#" * (4 * 2**20 + 1)), "has more than 4 MiB"),
    ],
    ids=["folder", "pipe", "circle", "long"],
)
def test_what_is_no_file_of_python_is_refused(tmp_path, make, message):
    make(tmp_path / "x.py")
    text = grid_of(f"{tmp_path}/x.py:build")
    (tmp_path / "mine.yaml").write_text(text)
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    with pytest.raises(ConfigError, match=message):
        grid.check_file()


@pytest.mark.parametrize("name", ["~nobody/x.py:f", "x" * 300 + ".py:f", "../../../x.py:f"])
def test_a_path_that_leads_nowhere_is_said_not_to_exist(tmp_path, name):
    (tmp_path / "mine.yaml").write_text(grid_of(name))
    (grid,) = load_grids([str(tmp_path / "mine.yaml")])
    with pytest.raises(ConfigError, match=r"does not exist|File name too long"):
        grid.check_file()
