"""Options, and what is said of those that are none."""

import pytest

from study.command_line.parser import parse_overrides
from study.errors import ConfigError


@pytest.mark.parametrize("entry", ["submit.py", "collect.py"])
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["task4"], "; did you mean --grid task4?"),
        (["--grid", "task1", "task2", "my.yaml"], "; did you mean --grid task2 --grid my.yaml?"),
        (["status"], ""),
    ],
)
def test_a_grid_without_its_option_is_guessed(run, entry, words, hint):
    done = run(entry, *words)
    stray = " ".join(words[words.index("task1") + 1 :] if "task1" in words else words)
    assert done.returncode == 2
    assert done.stderr == f"error: unrecognized arguments: {stray}{hint}; see --help\n"


@pytest.mark.parametrize("text", ["gpus=2,5", "gpus=[2,5]"])
def test_a_list_belongs_into_the_axes_of_a_grid(text):
    with pytest.raises(ConfigError) as caught:
        parse_overrides([text])
    value = text.removeprefix("gpus=")
    assert str(caught.value) == (
        f"--set: gpus: {value!r} is a list, and --set takes one value; "
        "lists go into the axes of a grid file, e.g. axes: {gpus: [2,5]}"
    )
