"""What stands in for the benchmark in tests of what becomes of jobs: it measures nothing.

It loads in a tenth of the time that torch takes, and waits without using a core.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from study.storage.progress import Progress

LONG = 1000  # steps; a case of fewer ends at once
UNTIL = "MPBENCH_STAND_IN"  # the file that ends a long case before its time limit


def run_case(case, policy, job, report, trace=None, finish=None, since_start_s=None):
    """A made-up result, after as long as the case's time limit if it has many steps."""
    report(Progress(phase="timing", step=1, steps=case.steps))
    ends = time.monotonic() + (case.time_limit_s if case.steps >= LONG else 0)
    while time.monotonic() < ends and not Path(os.environ[UNTIL]).exists():
        time.sleep(0.05)
    sys.path.append(str(Path(__file__).parents[3]))
    from tests.report.made_up import result

    made = result(emulated=True, gpu_name=None, **case.as_dict())
    return msgspec.structs.replace(made, job=job)


def visible_gpus():
    """None, as on any machine of the tests."""
    return 0


sys.modules["mp.hardware.devices"] = sys.modules[__name__]
