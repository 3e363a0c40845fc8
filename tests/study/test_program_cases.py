"""The command of a program: words, values in braces, and what is refused before a job exists."""

import pytest

from study.errors import ConfigError
from study.grids.file import load_grids
from study.validation import make_case
from study.values.placeholders import command_words


def case(command, arguments):
    named = {f"args.{name}": value for name, value in arguments.items()}
    return make_case({"command": command, "gpus": 2} | named, "g.yaml")


def words(command, **values):
    return command_words(case(command, values), "g.yaml")


def test_values_are_put_inside_of_words():
    assert words("torchrun --nproc-per-node {gpus} train.py --layers={layers}", layers=8) == [
        "torchrun", "--nproc-per-node", "2", "train.py", "--layers=8",
    ]  # fmt: skip
    assert words("p {a} {b} {c}", a=True, b=0.5, c="text") == ["p", "true", "0.5", "text"]
    assert words("p '{a b' {{a}}".replace("{a b", "{{a b"), a=1) == ["p", "{a b", "{a}"]


@pytest.mark.parametrize("value", ["a b", "; rm -rf /", "$(id)", "'", '"', "{gpus}", "--x", ""])
def test_a_value_never_becomes_another_word_or_a_command(value):
    assert words("p --name={x} {x}", x=value) == ["p", f"--name={value}", value]


@pytest.mark.parametrize(
    ("command", "arguments", "problem"),
    [
        ("p {layer}", {"layers": 1}, "{layer} is no argument; there are gpus, layers"),
        ("p {", {}, "has a single {; write {{"),
        ("p }", {}, "has a single }; write }}"),
        ("p {a.b}", {"a": 1}, "has a single {"),
        ("p 'x", {}, "has no closing quotation"),
        ("cd x && p", {}, "'&&' is for a shell"),
        ("p > log", {}, "'>' is for a shell"),
        ("A=1 p", {}, "write env A=1 ..."),
        ("{x}", {"x": ""}, "begins with no program"),
        ("p {gpus}", {"gpus": 3}, "args.gpus: is the number of GPUs"),
    ],
)
def test_a_command_that_could_not_run_is_refused_with_what_to_do(command, arguments, problem):
    with pytest.raises(ConfigError, match=r"^g\.yaml: ") as error:
        case(command, arguments)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_axes_of_a_program_have_the_names_that_its_command_uses(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(
        "program: {command: 'python train.py --layers {layers}', args: {seed: 1}}\n"
        "axes: {layers: [2, 4], gpus: [1, 2]}\n"
    )
    (grid,) = load_grids([str(path)])
    found = [(c.gpus, c.arguments) for c in grid.cases()]
    assert found[0] == (1, {"layers": 2, "seed": 1})
    assert len(found) == 4
    path.write_text("program: {command: 'python train.py {layer}'}\naxes: {layers: [2], gpus: [1]}")
    (grid,) = load_grids([str(path)])
    with pytest.raises(ConfigError, match="no argument; there are gpus, layers"):
        grid.cases()
