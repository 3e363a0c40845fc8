"""Submit the batches of a part, wait, and end in time."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from benchmarks.machines.batches import MACHINE, Batch
from benchmarks.machines.plan import Planned
from benchmarks.machines.seconds import seconds_of
from benchmarks.machines.slurm import PrivateSlurm

ROOT = Path(__file__).resolve().parent.parent.parent
SUBMIT = Path(__file__).resolve().parent / "submit_with.py"
LOOK_AGAIN_S = 0.5
TO_PACK_S = 14.0  # stopping Slurm and packing


@dataclass
class Run:
    """One part on one private Slurm.

    Attributes:
        slurm: which is up.
        folder: of the results and grids.
        profiles: the files of profiles, for Slurm and for emulated GPUs.
        ends_s: by when no job runs any more, of `monotonic`.
        notes: what went wrong, for the summary.
    """

    slurm: PrivateSlurm
    folder: Path
    profiles: tuple[Path, Path]
    ends_s: float
    notes: list[str] = field(default_factory=list)

    def work(self, part: list[Planned]) -> None:
        """Submit batch after batch, then wait until all jobs have ended or time is up.

        One is submitted when few jobs of those before wait, so that few are cancelled at the end.
        """
        phase = part[0].batch.phase if part else None
        for planned in part:
            if planned.batch.phase != phase:
                self.wait(seconds_of(planned.cases[0]))
                phase = planned.batch.phase
            latest_s = self.ends_s - seconds_of(planned.cases[0])
            has_room = _becomes_true(self.slurm.has_few_waiting, latest_s)
            if not has_room or monotonic() > latest_s:
                self.notes.append(f"not submitted, no time left: {planned.batch.words}")
                continue
            self.submit(planned.batch)
        self.wait(min((seconds_of(planned.cases[0]) for planned in part), default=0.0))
        self.slurm.ask("scancel", "--user=root")
        self._becomes_idle(self.ends_s + TO_PACK_S / 2)
        self._note_ends()

    def submit(self, batch: Batch) -> None:
        """Submit a batch; what submit.py refuses is a note."""
        if batch.emulated:
            self._submit_emulated(batch)
            return
        command = self._command(self.profiles[0], "results", batch)
        done = self._run(command)
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()
            self.notes.append(f"{batch.words}: {words[-1] if words else 'submit.py failed'}")

    def _submit_emulated(self, batch: Batch) -> None:
        """Start a job with one GPU, in which submit.py runs the case by itself on that GPU."""
        own = f"emulated/{'-'.join((batch.grid, *batch.sets))}"  # submit.py locks its results
        command = shlex.join(self._command(self.profiles[1], own, batch))
        (self.folder / own).mkdir(parents=True)
        log = self.folder / own / "job.log"
        words = ("--gres=gpu:1", "--cpus-per-task=1", "--mem=4G", f"--chdir={ROOT}")
        self.slurm.run(
            *("sbatch", *words, "--partition=gpu", "--job-name=emulated", f"--output={log}"),
            f"--wrap={command}",
        )

    def _command(self, profiles: Path, results: str, batch: Batch) -> list[str]:
        where = ["--results", str(self.folder / results), "--cluster", batch.profile]
        cases = batch.options(self.folder / "grids")
        return [sys.executable, str(SUBMIT), str(profiles), *cases, *where]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of submit.py, and so of its jobs."""
        return self.slurm.environment | {"PYTHONUNBUFFERED": "1"}

    def wait(self, shortest_s: float) -> None:
        """Wait until no job is left; those that cannot end in time are cancelled unbegun.

        Args:
            shortest_s: seconds of a job. Later than so long before the end, none begins.
        """
        if self._becomes_idle(self.ends_s - shortest_s):
            return
        self.slurm.ask("scancel", "--user=root", "--state=PENDING")
        self._becomes_idle(self.ends_s)

    def _becomes_idle(self, until_s: float) -> bool:
        return _becomes_true(self.slurm.is_idle, until_s)

    def _note_ends(self) -> None:
        """Let the ledger know how each job ended, as long as Slurm remembers."""
        for file in sorted((self.folder / "results").glob("*/submissions.jsonl")):
            command = [sys.executable, str(SUBMIT), str(self.profiles[0]), "--status"]
            command += ["--results", str(self.folder / "results"), "--cluster", file.parent.name]
            self._run(command)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )  # fmt: skip


def _becomes_true(condition: Callable[[], bool], until_s: float) -> bool:
    while not condition():
        if monotonic() > until_s:
            return False
        sleep(LOOK_AGAIN_S)
    return True


def take_in_emulated(folder: Path) -> None:
    """Copy what emulated GPUs gave to the other results, and its lines to their ledger."""
    target = folder / "results" / MACHINE
    for ledger in sorted(folder.glob(f"emulated/*/{MACHINE}/submissions.jsonl")):
        target.mkdir(parents=True, exist_ok=True)
        for file in ledger.parent.glob("*.json"):
            shutil.copy2(file, target / file.name)
        with open(target / ledger.name, "ab") as all_lines:
            all_lines.write(ledger.read_bytes())
