"""A file that somebody else wrote so that reading it takes for ever, or all memory."""

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from study.errors import ConfigError
from study.grids.file import load_grids
from study.quoting import LONGEST, quoted
from study.storage.yaml_file import MOST_BYTES, MOST_LEVELS, MOST_VALUES, read_mapping

AXES = "axes: {depth: [8], gpus: [2]}\n"


def refusal(path: Path, read=read_mapping) -> str:
    """The one line about this file, without its name."""
    with pytest.raises(ConfigError) as caught:
        read(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    message = message.removeprefix(f"{path}: ")
    assert len(message) < 500
    return message.removeprefix("is not plain YAML: ")


def read_grid(path: Path) -> None:
    load_grids([str(path)])


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def bomb(levels: int = 9) -> str:
    """Lists of ten of the list before: a thousand million values in nine lines."""
    lines = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(1, levels):
        lines.append(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]")
    return "\n".join(f"  {line}" for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"axes:\n{bomb()}\n  depth: *x8\n",
            "line 2: '&x0' is an anchor or alias; write the value",
        ),
        ("axes: &a {depth: *a}", "line 1: '&a' is an anchor or alias"),
        ("axes: {depth: [*a]}", "'*a' is an anchor or alias"),
        ("title: &title Mine\n" + AXES, "'&title' is an anchor or alias"),
        ("axes: {<<: {depth: [8]}}", "`<<` merges mappings; write the keys themselves"),
    ],
)
def test_a_value_that_is_written_once_and_used_many_times_is_refused(tmp_path, text, words):
    assert words in refusal(written(tmp_path, text))


def test_a_refused_grid_leaves_nothing_behind(run, tmp_path):
    path = written(tmp_path, f"axes:\n{bomb()}\n  depth: *x8\n")
    done = run("submit.py", "--grid", path, "--cluster", "local", "--results", tmp_path / "results")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {path}: is not plain YAML: line 2: ")
    assert os.listdir(tmp_path) == ["mine.yaml"]


def test_many_keys_are_refused_before_they_are_compared(tmp_path):
    few = "".join(f"k{n}: 1\n" for n in range(MOST_VALUES // 2 - 1))
    assert len(read_mapping(written(tmp_path, few))) == MOST_VALUES // 2 - 1
    problem = f"more than {MOST_VALUES} values; use several files"
    for many in (few + "a: 1\nb: 1\n", "axes: {depth: [" + "1," * MOST_VALUES + "]}"):
        assert problem in refusal(written(tmp_path, many))


def test_keys_are_compared_once_each(tmp_path):
    keys = "".join(f"k{n}: 1\n" for n in range(4000))
    assert "key 'k7' is there twice; keep one" in refusal(written(tmp_path, keys + "k7: 2\n"))


def test_a_long_file_is_not_read(tmp_path):
    read_mapping(written(tmp_path, AXES.ljust(MOST_BYTES, "#")))
    path = written(tmp_path, AXES.ljust(MOST_BYTES + 1, "#"))
    assert refusal(path) == "has more than 100 kB; write a shorter file, or several"
    os.truncate(path, 10**12)
    assert refusal(path) == "has more than 100 kB; write a shorter file, or several"


@pytest.mark.parametrize("begin", ["[", "{a: ", "- ", "? ", "{<<: ", "!!set {? "])
def test_deep_nesting_is_refused(tmp_path, begin):
    path = written(tmp_path, "title:\n  " + begin * 5000)
    assert f"nested more than {MOST_LEVELS} levels deep" in refusal(path)


@pytest.mark.parametrize("number", ["9" * 4301, "0x" + "f" * 90_000, "-0b" + "1" * 90_000])
def test_a_number_of_many_digits_is_refused(tmp_path, number):
    path = written(tmp_path, f"axes: {{depth: [{number}], gpus: [2]}}")
    assert "is a number of more than 100 digits; write a smaller one" in refusal(path)
    path = written(tmp_path, f"? {number}\n: 1")
    assert "is a number of more than 100 digits; write a smaller one" in refusal(path)


def test_a_number_beyond_its_range_is_named(tmp_path):
    for text in ("axes: {depth: [%s], gpus: [2]}", AXES + "measure: {time_limit_s: %s}"):
        path = written(tmp_path, text % ("0x" + "f" * 90))
        assert ": 23485425827738332" in refusal(path, read_grid)


def test_half_a_character_is_refused(tmp_path):
    assert "has half a character" in refusal(written(tmp_path, f'title: "\\ud800"\n{AXES}'))


@pytest.mark.parametrize(
    "what", ["pipe", "device", "folder", "link to a device", "loop", "nothing"]
)
def test_what_is_no_file_is_not_waited_for(tmp_path, what):
    path = tmp_path / "mine.yaml"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "link to a device":
        path.symlink_to("/dev/zero")
    elif what == "loop":
        path.symlink_to(path)
    elif what == "device":
        path = Path("/dev/zero")
    assert refusal(path).startswith("cannot be read: ")
    assert refusal(path).endswith("; check the path")
    assert "--grid" in refusal(path, read_grid)


@pytest.mark.parametrize(
    "text",
    [
        "axes: {depth: %s, gpus: [2]}",
        "axes: {depth: [%s], gpus: [2]}",
        "axes: {depth: [8], gpus: [2], %s: [1]}",
        AXES + "model: %s",
        AXES + "model: {dim: %s}",
        AXES + "table: %s",
        AXES + "title: [%s]",
        AXES + "trace: %s",
        AXES + "%s: 1",
        "include: [%s]",
        "include: {a: %s}",
    ],
)
def test_a_wrong_value_is_quoted_in_a_few_words(tmp_path, text):
    if text.startswith("axes: {depth: [8], gpus: [2], %") or text.endswith("%s: 1"):
        values = [f"'{'x' * 900}'"]  # a key of YAML has 1024 characters at most
    else:
        keys = "".join(f"k{n}: 1, " for n in range(2000))
        values = ["x" * 50_000, f"[{'[x, y], ' * 2000}]", f"{{{keys}}}"]
    for value in values:
        refusal(written(tmp_path, text % value), read_grid)


def test_a_quoted_value_is_short_whatever_it_is():
    assert quoted("task6") == "'task6'"
    assert quoted([2, 4, 2]) == "[2, 4, 2]"
    assert quoted(7) == "7"
    cycle: list[object] = []
    cycle += [cycle] * 100
    for value in ("x" * 10**6, [cycle], 1 << 10**6, -(1 << 10**6), b"\0" * 10**6, {"a": cycle}):
        assert len(quoted(value)) <= LONGEST


def test_no_text_at_all_ends_in_anything_but_a_grid_or_one_line(tmp_path):
    """Words and signs of YAML, thrown together; the seeds are the same every time."""
    signs = [*"[]{}:,-?&*!|>%@`#'\"\n \t~=<0123456789", ": ", "\n  ", "- ", "<<: ", "&a ", "*a"]
    signs += ["axes", "depth", "gpus", "!!int ", "!!set ", "!!python/name:os.system ", "0x", ".nan"]
    signs += ["---\n", "...\n", "\x00", "\ufeff", "é", "\\ud800", "2030-13-45", "!!binary ", "true"]
    for seed in range(400):
        draw = random.Random(seed)
        text = "".join(draw.choices(signs, k=draw.randint(1, 40)))
        path = written(tmp_path, text)
        with suppress(ConfigError):  # whose message is one line, whatever it is given
            load_grids([str(path)])
