"""A grid: a named selection of cases."""

import itertools
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec

from study.case import Case
from study.errors import ConfigError
from study.models import KINDS, absent_model_keys
from study.quoting import quoted
from study.schedules import absent_keys, has_key
from study.validation import make_case
from study.values.completion import PRESET, factory_name, kind_of, possible_names, sha256_of
from study.values.gradients import default_gradients
from study.values.keys import DEFAULTS
from study.values.placeholders import as_text

MAX_CASES = 100_000
NO_FILE = "0" * 64  # in place of the hash of a factory's file that cannot be read


@dataclass(frozen=True)
class Grid:
    """A selection of cases: all combinations of its axes, with one setting of the other keys.

    Of a factory it can be looked at when the file is gone; `check_file` says whether it can run.
    """

    name: str
    source: str
    title: str
    table: str
    axes: dict[str, tuple[Any, ...]]
    setting: dict[str, Any] = field(default_factory=dict)
    trace: bool = False
    overridden: bool = False
    repeats: int = 1
    filtered: tuple[str, ...] = ()  # schedules of the file, where `--set` keeps one of them
    set_keys: frozenset[str] = frozenset()  # which a schedule must have, as somebody set them

    @cached_property
    def kind(self) -> str:
        """The kind of model of all cases."""
        return kind_of(self.setting | {key: v[0] for key, v in self.axes.items()}, self.source)

    @cached_property
    def blamed(self) -> str:
        """The file, for errors in a case, with each `--set` of a key of its cases."""
        values = {key: axis[0] for key, axis in self.axes.items()} | self.setting
        keys = sorted(self.set_keys & values.keys())  # a later preset replaces some
        sets = [f"{key}={as_text(values[key])}" for key in keys]
        words = " ".join(f"--set {shlex.quote(text)}" for text in sets)
        return f"{self.source} with {words}" if words else self.source

    def cases(self) -> list[Case]:
        """Return every combination of the axes, in the file's order; all again for each repeat.

        Raises:
            ConfigError: they are too many, or one of them could not run.
        """
        count = math.prod(len(values) for values in self.axes.values()) * self.repeats
        if count > MAX_CASES:
            raise ConfigError(
                self.source, f"axes: {count} cases are more than {MAX_CASES}; use several grids"
            )
        combinations = itertools.product(*self.axes.values())
        each = [self.case(dict(zip(self.axes, values, strict=True))) for values in combinations]
        once = list(dict.fromkeys(each))
        # Round after round, so that what drifts on a cluster falls on all cases alike.
        again = range(2, self.repeats + 1)
        return once + [msgspec.structs.replace(case, repeat=n) for n in again for case in once]

    def first_case(self) -> Case:
        """Return the first of the cases, without making the others."""
        return self.case({k: v[0] for k, v in self.axes.items()})

    def case(self, values: dict[str, Any]) -> Case:
        """Return the case of these values, without the keys that its schedule does not have."""
        values = self.setting | self._file | values
        schedule = values.get("schedule", DEFAULTS["schedule"])
        not_its = self.keys_of_others(schedule)
        if self.leaves_gradients and has_key("gradients", schedule):
            values["gradients"] = self.gradients_of(schedule, values.get("execution"))
        return make_case({k: v for k, v in values.items() if k not in not_its}, self.blamed)

    @property
    def leaves_gradients(self) -> bool:
        """True if its cases have the default of `gradients`, which depends on the case."""
        return "gradients" not in {*self.setting, *self.axes}

    def gradients_of(self, schedule: str, execution: str | None) -> str:
        """Return the default of `gradients` for its cases with this schedule.

        Where execution is an axis it is that of eager steps, so that a graph and the eager step
        that it is compared with differ in nothing else.
        """
        is_compared = "execution" in self.axes
        return default_gradients(self.kind, schedule, "eager" if is_compared else execution)

    def keys_of_others(self, schedule: str) -> set[str]:
        """Return the keys that other schedules of the grid have, and this one does not.

        So a grid makes the same cases of a schedule with `--set schedule=` as without. A key that
        is itself set is not left out then, so that it is refused where no case has it.
        """
        others = self.axes.get("schedule", ())
        before = self.filtered if schedule in self.filtered else ()
        return {
            key
            for key in absent_keys(schedule)
            if any(has_key(key, other) for other in others)
            or (key not in self.set_keys and any(has_key(key, other) for other in before))
        }

    def contains(self, case: Case) -> bool:
        """Return whether the grid has the case, or the one that it repeats, without making all.

        A grid without `gradients` has the cases of when their default was `separate`, too.
        """
        if "repeat" not in self.setting:
            case = case.configuration
        if case.kind != self.kind:
            return False
        not_its = self.keys_of_others(case.schedule)
        return all(
            value == DEFAULTS[key]
            if key in not_its
            else _is_among(value, self.axes.get(key, self._values_of_all(key, case)))
            for key, value in case.flat().items()
            # The file may have been edited since, unless this grid is of one state of it.
            if key != "sha256" or key in {*self.setting, *self.axes}
        )

    @cached_property
    def _file(self) -> dict[str, Any]:
        """The factory's name and its file's hash, read once, so that all cases have the same."""
        if self.kind != "factory" or "sha256" in {*self.setting, *self.axes}:
            return {}
        name = factory_name(self.setting["factory"], self.blamed)
        try:
            return {"factory": name, "sha256": sha256_of(name, self.blamed)}
        except ConfigError:
            return {"factory": name, "sha256": NO_FILE}

    def check_file(self) -> None:
        """Check that the file of its factory can be read.

        Raises:
            ConfigError: it cannot.
        """
        if self._file.get("sha256") == NO_FILE:
            sha256_of(self._file["factory"], self.blamed)
            raise ConfigError(self._file["factory"], "could not be read a moment ago; run again")

    def _values_of_all(self, key: str, case: Case) -> tuple[Any, ...]:
        """Return the value that no axis varies; several for a factory file that is gone."""
        if key == "gradients" and self.leaves_gradients:
            return DEFAULTS[key], self.gradients_of(case.schedule, case.execution)
        if key == "factory" and self._file.get("sha256") == NO_FILE:
            return tuple(possible_names(str(self.setting["factory"])))
        return (self._value_of_all(key),)

    def _value_of_all(self, key: str) -> Any:
        """Return the value that no axis varies; those that the kind fills in, as of any case."""
        if self.kind != "linear" and self._first.has_key(key):
            return self._first.value(key)
        return self.setting.get(key, DEFAULTS.get(key))

    @cached_property
    def _first(self) -> Case:
        return self.first_case()

    def with_overrides(self, overrides: dict[str, Any]) -> "Grid":
        """Return the same grid with some keys of every case set to one value.

        A preset that is set replaces the sizes that the file writes out.

        Raises:
            ConfigError: the kind of model is another one, which has other keys.
        """
        kind = kind_of({"kind": self.kind} | overrides, "--set")
        if kind != self.kind:
            raise ConfigError(
                "--set",
                f"kind: {kind}; {self.source} has kind: {self.kind}, and another one has other "
                "keys, so write a grid file for it",
            )
        for key in ("factory", "command"):
            if key in overrides and key in absent_model_keys(kind):
                raise ConfigError(
                    "--set",
                    f"{key}: {quoted(overrides[key])}; {self.source} has kind: {kind}, which has "
                    "none, so write a grid file for it",
                )
        axes = {key: (overrides[key],) if key in overrides else v for key, v in self.axes.items()}
        replaced = _keys_of_preset(kind, overrides.get(PRESET))
        setting = {key: value for key, value in self.setting.items() if key not in replaced}
        setting |= {key: value for key, value in overrides.items() if key not in self.axes}
        return replace(
            self,
            axes=axes,
            setting=setting,
            overridden=bool(overrides),
            filtered=self.filtered or self.axes.get("schedule", ()),
            set_keys=self.set_keys | {*overrides},
        )

    def with_repeats(self, repeats: int) -> "Grid":
        """Return the same grid with as many jobs for each case.

        Raises:
            ConfigError: the grid sets `repeat` itself.
        """
        if repeats > 1 and "repeat" in self.setting:
            raise ConfigError("--repeats", f"{self.source} sets repeat itself; keep one of them")
        return replace(self, repeats=repeats)


def _keys_of_preset(kind: str, preset: object) -> frozenset[str]:
    """Return the keys that a preset stands for; none where there is no such preset."""
    presets = KINDS[kind].presets
    return frozenset(presets[preset] if isinstance(preset, str) and preset in presets else ())


def _is_among(value: Any, values: Sequence[Any]) -> bool:
    """Return whether one of the values is this one; 1, 1.0 and true are three of an argument."""
    return value in values and type(value) in map(type, values)
