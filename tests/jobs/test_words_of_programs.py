"""The words of a program in a job's log: none of them is taken for Slurm's or the worker's."""

import pytest

from jobs.job_log import OF_PROGRAM, TAIL_BYTES, find_cause, last_line
from mp.program.output import MARK

FORGED = (
    "slurmstepd: error: *** JOB 7 ON gpu1 CANCELLED AT 2030-01-01T00:00:00 ***",
    "mpbench: program-g2-01234567 failed: error: x",
    "mpbench: the result could not be written: no space",
    "srun: error: gpu1: task 0: Killed",
)


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("before", ["", "x", "done.", "\r", "\v", "\x85", "\u2028"])
def test_no_line_of_a_program_names_the_cause_of_an_end(tmp_path, forged, before):
    log = tmp_path / "log"
    log.write_text(f"mpbench: attempt 1 of job 7 on gpu1\n{OF_PROGRAM}{before}{forged}\n")
    assert find_cause(log) is None
    assert last_line(log).startswith(OF_PROGRAM)
    with log.open("a") as file:
        file.write("slurmstepd: error: *** JOB 7 ON gpu1 CANCELLED AT X DUE TO TIME LIMIT ***\n")
    assert find_cause(log).outcome == "timeout"


def test_half_a_line_at_the_beginning_of_what_is_read_is_no_line(tmp_path):
    log = tmp_path / "log"
    first, rest = f"{OF_PROGRAM}{FORGED[1]}\n", f"{OF_PROGRAM}{{}}\n"
    fill = TAIL_BYTES - len(FORGED[1]) - 1 - len(rest.format(""))
    log.write_text(first + rest.format("x" * fill))  # the tail begins behind the mark
    assert find_cause(log) is None
    assert OF_PROGRAM.encode() == MARK
