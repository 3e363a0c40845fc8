"""The report says what the GPU-hours of the jobs went to."""

import msgspec

from report.data.measured import measured
from report.method import make_method
from study.results.file import decode, encode
from study.results.phases import PHASE_NAMES, PhaseTime
from tests.report.made_up import result


def having(given, **seconds):
    """The result with phases of these seconds; two words of a name are joined by `_`."""
    phases = tuple(PhaseTime(name=n.replace("_", " "), seconds=s) for n, s in seconds.items())
    return msgspec.structs.replace(given, phases=phases)


def held(*results):
    """The sentence on GPU-hours, if there is one."""
    return [text for text in make_method([measured(r) for r in results]) if "GPU-hours" in text]


def test_gpu_hours_are_shared_out_among_set_up_timed_and_instrumented_steps():
    one = having(result(gpus=2), imports=600, meeting=200, first_step=100, timing=800)
    two = having(result(gpus=4), imports=100, timing=300, instruments=50)
    assert held(one, two) == [
        "The GPUs were held for 1.44 GPU-hours in 2 jobs: 42.3 % was set-up (most of it: imports "
        "30.8 %, meeting 7.7 %, first step 3.8 %), 53.8 % timed steps, 3.8 % instrumented steps."
    ]


def test_jobs_without_phases_are_counted_and_those_without_gpus_are_none():
    known, unknown = having(result(gpus=2), imports=3600, timing=3600), result(gpus=1)
    emulated = having(result(gpus=2, gpu_name=None, emulated=True), imports=10)
    (text,) = held(known, unknown, emulated)
    assert text.startswith("The GPUs were held for 4.00 GPU-hours in 1 job: 50.0 % was set-up")
    assert text.endswith("Not counted: 1 job whose phases were not timed.")
    assert held(unknown) == held(emulated) == []


def test_phases_survive_their_file_and_results_of_before_have_none():
    given = having(result(), imports=1.5, timing=2.5)
    assert decode(encode(given)) == given
    assert result().phases is None
    assert PHASE_NAMES[0] == "imports"
