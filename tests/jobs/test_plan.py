"""Which cases run, which are left out, and why."""

from dataclasses import replace

import msgspec
import pytest

from jobs.executors import executor_of
from jobs.plan import RerunPolicy, make_plan
from jobs.profile import Profile
from jobs.status.bad_nodes import BadNodes, bad_nodes
from jobs.status.case_status import CaseStatus, Snapshot
from study.case import Case
from study.errors import ConfigError
from study.grids.grid import Grid
from study.outcome import FAILED, RETRIED, UNTRIED
from study.storage.ledger import Attempt, Ended, Submission
from study.storage.store import Store
from tests.report import made_up

PROFILE = Profile("mine", "cluster.yaml: profiles.mine", "slurm", "cuda", gpus_per_node=4)
CASES = (2, 4)


def grid(**changes):
    given = {"axes": {"gpus": CASES}, "setting": {"depth": 8}} | changes
    return Grid(name="g", source="g.yaml", title="g", table="memory", **given)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    return store


def plan(store, *, grids=None, seen=(), profile=PROFILE, **choice):
    view = Snapshot(
        statuses={o.submission.case_id: o for o, _ in seen},
        attempts={o.submission.case_id: attempts for o, attempts in seen},
    )
    return make_plan(
        grids or [grid()], {}, executor_of(profile, store), view, RerunPolicy(**choice)
    )


def verdicts(items):
    return {item.case.gpus: item.left_out for item in items}


def submission(gpus=2, job_id="17"):
    case = Case(depth=8, gpus=gpus)
    return Submission(
        case=case, case_id=case.case_id, grid="g", overrides={}, executor="slurm",
        job_id=job_id, job_name="", log="", requested_gpus=case.gpus, timeout_min=1,
        submitted_at="",
    )  # fmt: skip


def live(state="PENDING", **values):
    """A case whose job 17 has not ended."""
    sub = submission()
    return CaseStatus(submission=sub, state=state, is_live=True, **values), [Attempt(sub)]


def ended(*outcomes, nodes="n1"):
    """A case whose attempts ended so, the last one last."""
    attempts = [
        Attempt(
            submission(job_id=str(number)),
            Ended(
                case_id="", job_id=str(number), batch="", outcome=outcome, state=None, reason="",
                nodes=nodes, elapsed_s=None, told_by="disk", seen_at="",
            ),
        )
        for number, outcome in enumerate(outcomes)
    ]  # fmt: skip
    return CaseStatus(submission=attempts[-1].submission, outcome=outcomes[-1]), attempts


def test_everything_runs_at_first(store):
    assert verdicts(plan(store)) == {2: None, 4: None}


def test_a_case_of_two_grids_stands_in_the_plan_once(store):
    assert len(plan(store, grids=[grid(), grid()])) == 2


@pytest.mark.parametrize("choice", [{}, {"force": True}, {"retries": 3}, {"only": FAILED}])
def test_a_job_that_still_lives_is_left_out_whatever_was_chosen(store, choice):
    left_out, _ = verdicts(plan(store, seen=[live()], **choice)).values()
    assert left_out == "job 17 is PENDING"


def test_a_job_of_which_nobody_can_tell_is_left_out(store):
    items = plan(store, seen=[live(state=None, reason="ask on other as me")], force=True)
    assert verdicts(items)[2] == "job 17 is not known to have ended (ask on other as me)"


def test_a_job_that_slurm_holds_is_replaced_only_if_asked_for(store):
    held = live(reason="held", is_stuck=True, outcome="node_failed", is_marked=True)
    item, _ = plan(store, seen=[held])
    assert (item.left_out, item.failed) == ("job 17 is PENDING (held)", True)
    item, _ = plan(store, seen=[held], only=frozenset({"node_failed"}))
    assert (item.left_out, item.replaces) == (None, "17")
    # Only a ledger calls it ours.
    unmarked = live(reason="held", is_stuck=True, outcome="node_failed")
    item, _ = plan(store, seen=[unmarked], only=frozenset({"node_failed"}))
    assert item.replaces is None


@pytest.mark.parametrize("outcome", sorted(UNTRIED))
def test_a_case_that_never_had_its_chance_runs_again(store, outcome):
    item, _ = plan(store, seen=[ended(outcome)])
    assert (item.left_out, item.previous) == (None, outcome)


@pytest.mark.parametrize("outcome", sorted(FAILED - UNTRIED))
def test_a_case_that_failed_by_itself_runs_again_only_if_asked_for(store, outcome):
    item, _ = plan(store, seen=[ended(outcome)])
    assert item.left_out == f"has failed ({outcome}); --only {outcome} or --force runs it again"
    assert item.failed
    for choice in ({"force": True}, {"only": frozenset({outcome})}):
        item, _ = plan(store, seen=[ended(outcome)], **choice)
        assert (item.left_out, item.failed) == (None, False)


def test_only_leaves_out_every_other_case(store):
    items = plan(store, seen=[ended("error")], only=frozenset({"timeout"}))
    assert verdicts(items) == {2: "not asked for: error", 4: "not asked for: has no outcome"}


@pytest.mark.parametrize("outcome", sorted(RETRIED))
def test_retries_are_counted_and_end(store, outcome):
    once, twice = ended(outcome), ended(outcome, outcome)
    assert verdicts(plan(store, seen=[once], retries=1))[2] is None
    used_up = f"{outcome}, 2 times now: --retries 1 is used up; raise it"
    assert verdicts(plan(store, seen=[twice], retries=1))[2] == used_up
    again = {"only": RETRIED, "by_itself": True}
    assert verdicts(plan(store, seen=[twice], retries=1, **again))[2] == used_up
    assert verdicts(plan(store, seen=[twice], retries=2))[2] is None


def test_retries_count_anew_after_another_end(store):
    seen = ended("timeout", "cancelled", "timeout")
    assert verdicts(plan(store, seen=[seen], retries=1))[2] is None


def test_retries_leave_out_the_nodes_that_failed_and_no_slow_ones(store):
    item, _ = plan(store, seen=[ended("node_failed", "node_failed")], retries=3)
    assert item.exclude == "n1"
    item, _ = plan(store, seen=[ended("timeout")], retries=3)
    assert item.exclude == ""


def test_retries_leave_out_no_node_where_one_of_several_failed(store):
    for nodes in ("gpu[1-2]", "gpu1,gpu7"):
        item, _ = plan(store, seen=[ended("node_failed", nodes=nodes)], retries=3)
        assert (item.left_out, item.exclude) == (None, "")


def test_retries_do_not_touch_what_failed_by_itself(store):
    assert "has failed (error)" in verdicts(plan(store, seen=[ended("error")], retries=3))[2]


def test_a_result_that_cannot_be_read_is_left_out_and_counts_as_failed(store):
    store.result_path(Case(depth=8, gpus=2)).write_text("{}")
    item, _ = plan(store)
    assert item.failed
    assert "--force replaces it" in item.left_out


def test_a_measured_case_whose_result_is_gone_runs_again(store):
    sub = submission()
    gone = CaseStatus(submission=sub, outcome="lost"), [Attempt(sub)]
    assert verdicts(plan(store, seen=[gone]))[2] is None


def test_more_gpus_than_a_node_has_are_refused(store):
    with pytest.raises(ConfigError, match=r"g.yaml: gpus: 5 is more than the 4 GPUs of a node"):
        plan(store, grids=[grid(axes={"gpus": (5,)})])
    with pytest.raises(ConfigError, match=r"g.yaml with --set gpus=6: gpus: 6 is more than the 4"):
        plan(store, grids=[grid(axes={"gpus": (2,)}).with_overrides({"gpus": 6})])


def test_a_case_in_processes_may_take_several_nodes_but_as_many_gpus_on_each(store):
    pipeline = {"depth": 16, "schedule": "gpipe"}
    assert verdicts(plan(store, grids=[grid(axes={"gpus": (6, 8)}, setting=pipeline)]))
    with pytest.raises(ConfigError, match=r"gpus: 7 do not divide evenly .*; use e.g. 4, 6, 8 \("):
        plan(store, grids=[grid(axes={"gpus": (7,)}, setting=pipeline)])


def test_tf32_on_a_profile_without_gpus_is_refused(store):
    cpu = Profile("mine", "cluster.yaml: profiles.mine", "local", "cpu")
    with pytest.raises(ConfigError, match="dtype: tf32 needs a GPU"):
        plan(store, grids=[grid(setting={"depth": 8, "dtype": "tf32"})], profile=cpu)


def measured(store):
    """The first case, measured; its last job, which --force submitted, ended so."""
    result = made_up.result(depth=8, gpus=2)
    made_up.write(store.folder.parent, store.profile, result)
    return result.case


def test_a_case_whose_new_job_failed_keeps_its_result_and_runs_again_only_if_asked_for(store):
    case = measured(store)
    grids = [grid(setting={k: v for k, v in case.as_dict().items() if k != "gpus"})]
    seen = [(replace(o, submission=of(case)), a) for o, a in [ended("error")]]
    assert plan(store, grids=grids, seen=seen)[0].left_out == "has a result"
    assert not plan(store, grids=grids, seen=seen)[0].failed
    for only, left_out in (("error", None), ("timeout", "not asked for: ok"), ("ok", None)):
        (item, _) = plan(store, grids=grids, seen=seen, only=frozenset({only}))
        assert item.left_out == left_out


def of(case):
    """A submission of this case."""
    return msgspec.structs.replace(submission(), case=case, case_id=case.case_id)


def test_attempts_are_numbered_by_the_ledger(store):
    seen, attempts = ended("cancelled")
    numbered = [replace(a, submission=msgspec.structs.replace(a.submission, number=4))
                for a in attempts]  # fmt: skip
    first, second = plan(store, seen=[(seen, numbered)])
    assert (first.number, second.number) == (5, 1)


def test_bad_nodes_are_left_out_of_every_job(store):
    view = Snapshot()
    bad = BadNodes(("gpu2",), others_able=1)
    items = make_plan([grid()], {}, executor_of(PROFILE, store), view, RerunPolicy(), bad)
    assert [item.exclude for item in items] == ["gpu2", "gpu2"]


def test_a_job_that_needs_all_nodes_leaves_none_out(store):
    wide = grid(axes={"gpus": (2, 8)}, setting={"depth": 8, "schedule": "gpipe"})
    items = make_plan(
        [wide], {}, executor_of(PROFILE, store), Snapshot(), RerunPolicy(), BadNodes(("gpu2",), 1)
    )
    assert [item.exclude for item in items] == ["gpu2", ""]


def view_of(*ends):
    """A view in which cases, each another, ended so, in this order: (outcome, node)."""
    view = Snapshot()
    for number, (outcome, node) in enumerate(ends, start=1):
        _, (attempt,) = ended(outcome, nodes=node)
        own = of(Case(depth=number, gpus=1))
        end = msgspec.structs.replace(attempt.ended, case_id=own.case_id)
        view.attempts[own.case_id] = [Attempt(own, end)]
        view.endings.append(end)
    return view


FAILS, RUNS = ("node_failed", "gpu2"), ("ok", "gpu2")


@pytest.mark.parametrize(
    ("ends", "bad"),
    [
        ([FAILS], []),
        ([FAILS, FAILS], ["gpu2"]),
        ([FAILS, RUNS, FAILS], []),
        ([RUNS, FAILS, FAILS], ["gpu2"]),
        ([FAILS, ("node_failed", "gpu1")], []),
        ([("node_failed", "gpu[1-2]"), ("node_failed", "gpu[1-2]")], []),
        ([FAILS, FAILS, ("error", "gpu2")], []),
    ],
)
def test_a_node_is_bad_once_two_cases_in_a_row_failed_there_at_launch(ends, bad):
    view = view_of(*ends)
    assert bad_nodes(view, view.attempts) == tuple(bad)
    assert bad_nodes(view, ()) == ()  # another grid gives the node another chance


def test_a_node_is_no_longer_bad_once_the_cases_that_it_failed_ended_elsewhere():
    view = view_of(FAILS, FAILS)
    (case_id, [attempt]), *_ = view.attempts.items()
    later = msgspec.structs.replace(attempt.ended, outcome="ok", nodes="gpu1", batch="b")
    again = replace(attempt, ended=later)
    view.attempts[case_id].append(again)
    view.endings.append(later)
    assert bad_nodes(view, view.attempts) == ()


def test_what_a_person_chose_runs_whatever_the_retries(store):
    seen = [ended("timeout", "timeout")]
    for choice in ({"force": True}, {"only": RETRIED}):
        (item, _) = plan(store, seen=seen, retries=1, **choice)
        assert item.left_out is None
