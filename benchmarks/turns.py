"""The turns of benchmarks/pipelines.py: contestants built, timed in rounds, shown and released."""

import argparse
import gc
import os
import sys
import threading
import time
import traceback
from math import isfinite
from random import Random

import torch

from benchmarks.building import build_together
from benchmarks.contestants import Contestant, first_reason, reason_of, waiting_of
from benchmarks.entries import Entry, Group, groups_of
from benchmarks.findings import Findings
from benchmarks.pipeline_targets import Times
from mp.distributed.world import World, join
from mp.hardware.memory import release_cache
from mp.timing.timer import no_garbage_collection

FIRST_ROUNDS = 8  # of eager steps, before a graph is captured
WARM_UP = 2  # rounds that do not count
LEAST_ROUNDS = 8  # an interval takes 6
SHARE = 0.85  # of the time within which contestants are built and timed; targets come after
LONGEST_S = 45.0  # to build a contestant, or for a round
SHUTDOWN_S = 10.0


class Run:
    """The benchmark as one rank sees it.

    Args:
        arguments: its options.
        start: when the process began, on Python's monotonic clock.
    """

    def __init__(self, arguments: argparse.Namespace, start: float) -> None:
        self.arguments, self.start = arguments, start
        self.end = self.start + SHARE * arguments.within
        self.doing, self.limit = "meeting the other ranks", self.start + arguments.within
        self.is_first = os.environ["RANK"] == "0"
        self.findings = Findings(arguments, is_first=self.is_first)
        self.is_shown = False
        self.over = threading.Lock()  # taken once by whoever prints the end
        if self.is_first:
            threading.Thread(target=self._guard, daemon=True).start()

    def measure(self) -> None:
        """Take turns, let the first rank show what came out, and end this process."""
        try:
            world = self._measure_all()
        except Exception as error:  # without another rank, nothing goes on
            traceback.print_exc()
            self._give_up(reason_of(error))
            raise
        if self.over.acquire(blocking=False):
            self.findings.show_end()
        self.is_shown, self.limit = True, time.monotonic() + SHUTDOWN_S
        world.shutdown()
        sys.stdout.flush()
        os._exit(not any(self.findings.times.values()))  # a broken capture keeps torch from ending

    def _measure_all(self) -> World:
        sizes = self.arguments
        world = join(sizes.gpus, sizes.device, lambda loss: self._give_up(str(loss)))
        if world.device.type == "cuda":
            torch.cuda.set_device(world.device)
        self.findings.say(f"torch {torch.__version__}, {_name_of(world)}, {self._sizes()}")
        groups = groups_of(sizes.micro_batches, sizes.schedules, sizes.executions)
        for number, group in enumerate(groups):
            left = sum(len(each.entries) for each in groups[number:])
            share = (self.end - time.monotonic()) * len(group.entries) / left
            self._measure_group(group, world, time.monotonic() + share)
        return world

    def _measure_group(self, group: Group, world: World, until: float) -> None:
        there: dict[Entry, Contestant] = {}
        eager = [entry for entry in group.entries if not entry.is_graph]
        graphs = [entry for entry in group.entries if entry.is_graph]
        for entry in eager:
            self._build(entry, there, world)
        if graphs and not world.emulated:
            self.findings.times[group.name] = self._rounds(there, FIRST_ROUNDS, until, world)
        for entry in graphs:
            self._build(entry, there, world)
        self.findings.times[group.name] = self._rounds(there, self.arguments.steps, until, world)
        self.findings.show(group.name)
        for entry in [*there]:
            self._expect(f"releasing {entry.label}")
            there.pop(entry).release()
        release_cache()

    def _build(self, entry: Entry, there: dict[Entry, Contestant], world: World) -> None:
        self._expect(f"building {entry.label}")
        if world.all_reduce_max(float(time.monotonic() > self.end)):
            self.findings.reasons[entry.label] = "no time was left"
            return
        found = build_together(entry, self.arguments, world)
        if isinstance(found, str):
            self.findings.reasons[entry.label] = found
            self._log(f"{entry.label} does not run: {found}")
            return
        there[entry] = found
        self._log(f"{entry.label} is built")
        if self.arguments.bubbles and not entry.is_graph:
            self._expect(f"instrumented steps of {entry.label}", self.arguments.bubbles)
            self.findings.bubbles[entry] = waiting_of(found, self.arguments.bubbles)

    def _rounds(
        self, there: dict[Entry, Contestant], rounds: int, until: float, world: World
    ) -> Times:
        """Return the seconds of the slowest rank, contestant by contestant, in turns."""
        times: Times = {entry: [] for entry in there}
        gc.collect()
        gc.freeze()  # else every round searches through all contestants
        for number in range(WARM_UP + rounds):
            self._expect(f"round {number + 1} of {len(there)} contestants")
            is_late = number >= WARM_UP + LEAST_ROUNDS and time.monotonic() > until
            if world.all_reduce_max(float(is_late)):
                break
            order = [*there]
            Random(number).shuffle(order)  # else each has always the same one before it
            with no_garbage_collection():
                took = {entry: world.all_reduce_max(there[entry].time()) for entry in order}
            for entry in [entry for entry, seconds in took.items() if not isfinite(seconds)]:
                failed = there.pop(entry)
                why = first_reason(failed.reason, world)
                self.findings.reasons[entry.label] = f"failed while it was timed: {why}"
                failed.release()
                del times[entry], took[entry]
            if number >= WARM_UP:
                for entry, seconds in took.items():
                    times[entry].append(seconds)
        gc.unfreeze()
        return times

    def _expect(self, doing: str, more_s: float = 0.0) -> None:
        """Give the next thing its time; the guard ends the run if it takes longer."""
        hard = self.start + self.arguments.within
        self.doing, self.limit = doing, min(hard, time.monotonic() + LONGEST_S + more_s)

    def _guard(self) -> None:
        while time.monotonic() < self.limit:
            time.sleep(0.5)
        if self.is_shown:
            os._exit(0)
        self._give_up(f"{self.doing} was not done in time")

    def _give_up(self, reason: str) -> None:
        """Show what there is and end, with all other ranks."""
        if not self.over.acquire(blocking=False):
            return
        self.findings.reasons["the run"] = f"ended early: {reason}"
        try:
            self.findings.show_end()
        finally:
            sys.stdout.flush()
            os._exit(1)

    def _sizes(self) -> str:
        keys = ("gpus", "depth", "dim", "batch_size", "dtype")
        return ", ".join(f"{key} {getattr(self.arguments, key)}" for key in keys)

    def _log(self, line: str) -> None:
        if self.is_first:
            print(f"{time.monotonic() - self.start:.0f} s: {line}", file=sys.stderr, flush=True)


def _name_of(world: World) -> str:
    if world.emulated:
        return f"CPU, {torch.get_num_threads()} threads a rank"
    return torch.cuda.get_device_name(world.device)
