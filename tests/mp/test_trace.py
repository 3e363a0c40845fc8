"""The Chrome trace: what chrome://tracing and Perfetto need, and what a person sees there."""

import itertools
import json
from collections import defaultdict

import pytest

from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.measure import record_timelines
from mp.single.engine import SingleEngine
from mp.timing.chrome_trace import write_trace
from study.case import Case


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    case = Case(depth=6, gpus=3, dim=32, batch_size=8)
    engine = SingleEngine(case, Communicator(choose_devices(3, "cpu")))
    timelines = record_timelines(engine, engine.build(case), 0.0)
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    write_trace(path, timelines, case, ["cpu"] * 3, emulated=True)
    return json.loads(path.read_text())


def events(trace, kind):
    return [event for event in trace["traceEvents"] if event["ph"] == kind]


def test_every_gpu_is_a_process_of_that_name_that_says_it_is_emulated(trace):
    names = [e["args"]["name"] for e in events(trace, "M") if e["name"] == "process_name"]
    assert names == [f"GPU {gpu} (emulated on cpu)" for gpu in range(3)]
    assert trace["otherData"]["emulated"] is True


def test_every_gpu_has_a_track_for_compute_and_one_for_transfers(trace):
    tracks = {
        (e["pid"], e["tid"]): e["args"]["name"]
        for e in events(trace, "M")
        if e["name"] == "thread_name"
    }
    assert tracks == {(gpu, t): n for gpu in range(3) for t, n in ((0, "compute"), (1, "transfer"))}
    assert all((e["tid"] == 1) == e["name"].startswith("transfer") for e in events(trace, "X"))


def test_slices_of_a_track_do_not_overlap(trace):
    tracks = defaultdict(list)
    for event in events(trace, "X"):
        tracks[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in tracks.values():
        slices.sort()
        assert all(a[1] <= b[0] + 1e-3 for a, b in itertools.pairwise(slices))


def test_an_arrow_leads_from_every_sender_to_its_receiver(trace):
    starts = {event["id"]: event for event in events(trace, "s")}
    ends = {event["id"]: event for event in events(trace, "f")}
    assert starts.keys() == ends.keys()
    assert len(starts) == 3 * 4  # three steps, two borders, both ways
    assert all(abs(starts[i]["pid"] - ends[i]["pid"]) == 1 for i in starts)


def test_an_arrow_ties_to_the_slice_around_its_end(trace):
    slices = [e for e in events(trace, "X") if e["tid"] == 1]
    for arrow in (*events(trace, "s"), *events(trace, "f")):
        around = [
            e for e in slices
            if e["pid"] == arrow["pid"] and e["ts"] <= arrow["ts"] <= e["ts"] + e["dur"]
        ]  # fmt: skip
        assert around


def test_the_bytes_on_their_way_rise_and_fall_with_every_pass(trace):
    counts = [event["args"]["bytes"] for event in events(trace, "C")]
    assert counts == [8 * 32 * 4, 0] * (3 * 4)
