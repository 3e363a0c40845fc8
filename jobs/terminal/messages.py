"""The plan and the submissions on stdout: plain lines, so that they can be piped."""

import sys
from collections.abc import Mapping, Sequence

from jobs.fit.forecast import fit_lines
from jobs.planned import PlannedCase, count_gpus, gpu_hours, to_run
from jobs.profile import Profile
from jobs.terminal.next_steps import CommandLine
from jobs.terminal.refusals import refusal_lines
from predict.memory.fit import Fits
from study.storage.ledger import Submission
from study.text import one_line
from study.values.description import code_of, describe

# squeue's own columns cut a name after eight letters and show no GPUs, which are those of a node.
SQUEUE_COLUMNS = '--format="%.18i %.40j %.10T %.9M %.5D %.14b %R"'


def print_notes(notes: Sequence[str]) -> None:
    """Print notes on stderr."""
    for note in notes:
        print(one_line(f"note: {note}"), file=sys.stderr)


def print_plan(planned: list[PlannedCase], profile: Profile, fits: Fits) -> None:
    """Print one line a case: its memory, and whether it runs; and whose code runs besides ours.

    Args:
        planned: the cases.
        profile: of the jobs.
        fits: the memory that cases take.
    """
    print(f"Plan for profile {profile.name} ({profile.executor}, device {profile.device}):")
    for each in planned:
        fit = fits.of(each.case)
        memory = "" if fit is None else f"{fit.words}  "
        print(f"  {each.case.case_id}  {describe(each.case)}  {memory}{_decision(each)}")
    for line in fit_lines(planned, fits):
        print(one_line(line))
    for code in dict.fromkeys(filter(None, (code_of(each.case) for each in to_run(planned)))):
        print(f"runs code of {code}")
    runs = len(to_run(planned))
    print(f"{runs} to run, {len(planned) - runs} left out.", flush=True)


def _decision(planned: PlannedCase) -> str:
    if planned.left_out is not None:
        return one_line(f"left out: {planned.left_out}")
    again = f" again (was {planned.previous})" if planned.previous else ""
    without = f", not on {planned.exclude}" if planned.exclude else ""
    return f"run{again}{without}"


def print_predicted(planned: Sequence[PlannedCase]) -> None:
    """Print how many of the cases that run have a prediction, where one was tried, and why not all.

    Args:
        planned: cases that run.
    """
    made = sum(each.prediction is not None for each in planned)
    lines = refusal_lines((p.case.case_id, p.no_prediction) for p in planned if p.no_prediction)
    if made or lines:
        where = "; collect.py shows them beside results" if made else ""
        print(f"Predicted: {made} of {len(planned)} case{'s' * (len(planned) != 1)}{where}.")
    for line in lines[:1]:
        print(line, flush=True)
    if others := len(lines) - 1 if lines else 0:
        print(f"--predict shows {others} more reason{'s' * (others > 1)}.")


def print_request(
    planned: list[PlannedCase], profile: Profile, starts: Mapping[int, float]
) -> None:
    """Print the GPU-hours that the jobs can cost, and when those of each GPU count would start.

    Args:
        planned: the cases that run.
        profile: of the jobs.
        starts: seconds until a job of so many GPUs would start.
    """
    if profile.timeout_min is None or not planned:
        return
    gpus = sum(each.case.gpus for each in planned)
    hours = gpu_hours(planned, profile.timeout_min)
    print(f"At most {hours:.2f} GPU-hours: {count_gpus(gpus)} x {profile.timeout_min} min.")
    for count in sorted({each.case.gpus for each in planned} & starts.keys()):
        jobs = [each for each in planned if each.case.gpus == count]
        print(
            f"  {count_gpus(count)} each: {len(jobs)} job{'s' * (len(jobs) != 1)}, at most "
            f"{gpu_hours(jobs, profile.timeout_min):.2f} GPU-hours; "
            f"Slurm would start one {_from_now(starts[count])}"
        )


def _from_now(seconds: float) -> str:
    """Return e.g. `now`, `in about 12 min`, `in about 2 h 5 min` or `in about 3 d 4 h`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "now"
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{days} d" * (days > 0), f"{hours} h" * (hours > 0), f"{rest} min" * (rest > 0)]
    return f"in about {' '.join([part for part in parts if part][:2])}"


def print_submission(batch: Sequence[Submission]) -> None:
    """Print one job with its log, or one array, as soon as it is queued."""
    first = batch[0]
    if len(batch) == 1:
        print(f"submitted job {first.job_id}  {first.job_name}  log: {first.log}", flush=True)
        return
    gpus = count_gpus(first.requested_gpus)
    print(f"submitted array {first.array}  {len(batch)} jobs with {gpus} each", flush=True)


def print_how_to_watch(
    submissions: Sequence[Submission], typed: CommandLine, is_watched: bool
) -> None:
    """Print the lines to watch these jobs, and what to do when they have ended.

    Args:
        submissions: the jobs.
        typed: the command line of the person.
        is_watched: submit.py itself stays until then, and says the rest at the end.
    """
    if not submissions:
        return
    jobs = ",".join(dict.fromkeys(s.array for s in submissions))
    print(f"Watch them:  squeue --all --jobs={jobs} {SQUEUE_COLUMNS}", flush=True)
    if is_watched:
        return
    print(f"Until they have ended, with phase and outcome:  {typed.submit('--watch')}")
    print(f"Then:  {typed.collect()}", flush=True)
    if typed.calibrated:
        print(f"And:  {typed.predict()}", flush=True)
