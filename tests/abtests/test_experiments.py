"""Tests between versions: started once, sticky arms, phases, plans."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from abtests import lifecycle, services
from abtests.models import Assignment, Experiment, Outcome, Phase
from abtests.planning import Plan, Traffic, plan_shadow, plan_split
from abtests.reports import report
from abtests.services import Metric, record_outcomes
from abtests.statistics import MIN_LABELS
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from tests.abtests.helpers import PLAN, seats


def test_a_split_test_puts_units_into_arms_and_keeps_them(running):
    experiment, phase = running(share=0.3)
    first = seats(400)
    assert 80 < sum(s.arm == "B" for s in first) < 160
    assert {s.serves for s in first if s.arm == "B"} == {"new"}
    lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.6)
    assert [s.arm for s in seats(400)] == [s.arm for s in first], "stored: a unit stays where it is"
    later = seats(400, start=1_000)
    assert sum(s.arm == "B" for s in later) > 190
    assert {s.phase for s in later} == {phase.pk + 1}
    assert not any(s.measured for s in seats(400)), "met under another split: the arms would hold other populations"
    assert all(s.measured for s in later)


def test_customers_can_be_the_units(running):
    running(unit="customer")
    assert len({s.arm for s in seats(30)}) == 1
    assert Assignment.objects.get().unit == "customer:1"


def test_other_departments_are_not_in_it(running):
    running(departments=["hr"])
    assert seats(3) == [None] * 3


def test_in_a_shadow_test_a_serves_and_b_scores(running):
    running(mode="shadow")
    (seat,) = seats(1)
    assert (seat.arm, seat.serves, seat.shadow) == ("A", "old", "new")
    assert not Assignment.objects.exists()


def test_tests_of_one_department_do_not_overlap(running, make, admin):
    running(departments=["it", "hr"])
    other = make(departments=["hr"])
    with pytest.raises(Conflict, match="Newer heads is active in hr"):
        lifecycle.start(experiment=other, plan=PLAN, by=admin)
    lifecycle.start(experiment=make(departments=["retail"]), plan=PLAN, by=admin)
    with pytest.raises(Conflict, match="every department"):
        lifecycle.start(experiment=make(), plan=PLAN, by=admin)


def test_it_is_started_once_and_can_go_on_after_an_end(running, admin):
    experiment, phase = running()
    with pytest.raises(Conflict, match="started once"):
        lifecycle.start(experiment=experiment, plan=PLAN, by=admin)
    before = [s.arm for s in seats(50)]
    lifecycle.end(experiment=experiment, by=admin)
    assert seats(1) == [None]
    lifecycle.start(experiment=experiment, plan=PLAN, by=admin)
    again = seats(50)
    assert [s.arm for s in again] == before and all(s.measured for s in again), "the split is the same"
    phases = list(Phase.objects.order_by("number"))
    assert [p.number for p in phases] == [1, 2]
    assert phases[0].ended_at is not None
    assert report(experiment).split.units == {"A": 0, "B": 0}, "units of the first phase do not count in the second"


def test_a_clock_that_went_back_makes_no_phase_end_before_its_start(running):
    experiment, phase = running()
    Phase.objects.update(started_at=timezone.now() + timezone.timedelta(hours=1))
    lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.2)
    first = Phase.objects.get(number=1)
    assert first.ended_at >= first.started_at


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"treatment": "old"}, "two different ones"),
        ({"share": 0.9}, "share"),
        ({"gain": 0}, "gain"),
        ({"guardrails": {"speed": 1}}, "'speed'; allowed: confidence"),
        ({"name": ""}, "name"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, fields, message):
    with pytest.raises(DeskError, match=message):
        make(**fields)
    assert not Experiment.objects.exists()


def test_the_split_of_a_shadow_test_cannot_be_edited(running):
    experiment, _ = running(mode="shadow")
    with pytest.raises(DeskError, match="answers no mail"):
        lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.2)


def test_names_may_repeat(make):
    assert [make().slug, make().slug] == ["newer-heads", "newer-heads-2"]


def test_trouble_that_was_noted_stays_until_it_is_started_again(running, admin):
    experiment, phase = running()
    services.note_trouble(phase=phase.pk, reason="Arm B fails to load.")
    services.note_trouble(phase=phase.pk, reason="again")
    experiment.refresh_from_db()
    assert report(experiment).verdict.sentence == "Arm B fails to load."
    lifecycle.end(experiment=experiment)
    lifecycle.start(experiment=experiment, plan=PLAN, by=admin)
    experiment.refresh_from_db()
    assert experiment.trouble == ""


def test_what_is_measured_later_goes_to_the_arm_that_served(running):
    _, phase = running()
    record_outcomes(phase=phase.pk, subject="7", arm="B", values={Metric.CONFIDENCE: 0.5})
    services.record_outcome(subject="7", metric=Metric.EDIT, value=0.25)
    services.record_outcome(subject="8", metric=Metric.EDIT, value=0.25)
    assert list(Outcome.objects.filter(metric=Metric.EDIT).values_list("subject", "arm")) == [("7", "B")]


def test_plans_come_from_traffic_and_review_rate():
    split = plan_split(rate=0.85, gain=0.02, share=0.1, weeks=4, traffic=Traffic(emails=20_000, answers=500))
    assert (split.labels, split.weeks) == (15_400, 31)
    assert split.sample_b == pytest.approx(7_700 / 8_000)
    assert split.sample_a == pytest.approx(7_700 / 72_000)
    shadow = plan_shadow(disagreement=0.06, gain=0.02, traffic=Traffic(emails=20_000, answers=500))
    assert shadow.labels < split.labels / 100
    assert shadow.weeks == 1
    assert plan_shadow(disagreement=0.06, gain=0.02, traffic=Traffic(emails=0, answers=0)).weeks is None


def test_outcomes_are_stored_once(running):
    _, phase = running()
    for value in (0.1, 0.2):
        record_outcomes(phase=phase.pk, subject="1", arm="A", values={Metric.CONFIDENCE: value})
    assert Outcome.objects.get().value == 0.2


def test_another_split_is_planned_anew_and_the_same_is_refused(running):
    experiment, _ = running(share=0.1)
    with pytest.raises(DeskError, match="B has 10% of the mail already"):
        lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.1)
    again = Plan(planned=900, labels=900, weeks=3, sentence="", sample_a=0.2, sample_b=0.8)
    phase = lifecycle.change_share(experiment=experiment, plan=again, share=0.2)
    assert (phase.planned, phase.sample_a, phase.sample_b) == (900, 0.2, 0.8)
    assert {s.sample for s in seats(100, start=1_000)} == {0.2, 0.8}


@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_nobody_is_asked_about_more_than_was_planned(running, mode):
    _, phase = running(mode=mode)
    assert seats(1)[0].sample > 0
    for _ in range(2):
        lifecycle.complete(phase=phase)
    assert {s.sample for s in seats(20)} == {0.0}
    assert AuditEvent.objects.filter(action="as many as planned").count() == 1


def test_without_known_traffic_both_arms_give_as_many_labels():
    nothing = Traffic(emails=0, answers=0)
    plan = plan_split(rate=0.85, gain=0.02, share=0.1, weeks=4, traffic=nothing)
    assert (plan.sample_a, plan.sample_b) == (pytest.approx(1 / 9), 1.0)
    plan = plan_split(rate=0.85, gain=0.02, share=0.8, weeks=4, traffic=nothing)
    assert (plan.sample_a, plan.sample_b) == (1.0, pytest.approx(1 / 4))


@pytest.mark.django_db(transaction=True)
def test_of_two_tests_started_at_once_one_is_refused(make):
    tests = [make(), make()]
    together = Barrier(2)

    def begin(experiment: Experiment) -> str:
        try:
            together.wait(timeout=20)
            lifecycle.start(experiment=experiment, plan=PLAN)
            return "started"
        except Conflict as refused:
            return refused.message
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(begin, tests))
    assert "is active in every department" in said[0] and said[1] == "started"


def test_tests_of_a_department_that_is_part_of_another_are_of_that_one(make, running):
    over, both = make(departments=["hr"]), running(departments=["hr", "it"])[0]
    lifecycle.rename_department(old="hr", new="it")
    for experiment in (over, both):
        experiment.refresh_from_db()
        assert experiment.departments == ["it"]
    assert AuditEvent.objects.filter(action="merge department").count() == 2


@pytest.mark.parametrize("own", ["hr", "it"])
def test_no_other_mail_comes_into_an_active_test_by_a_merge(running, own):
    running(departments=[own])
    with pytest.raises(Conflict, match=f"is active in {own}, its mail would change; end it first"):
        lifecycle.rename_department(old="hr", new="it")


def test_what_was_seen_of_one_phase_changes_no_other(running):
    experiment, phase = running()
    lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.2)
    with pytest.raises(Conflict, match="has gone to another phase"):
        lifecycle.end(experiment=experiment, seen=phase)
    services.note_trouble(phase=phase.pk, reason="of the split before")
    assert report(experiment).trouble == ""
    lifecycle.end(experiment=experiment, seen=Phase.objects.get(number=2))


@pytest.mark.parametrize(("rate", "gain"), [(1.0, 0.02), (0.97, 0.1), (0.85, 0.2)])
def test_a_plan_is_never_smaller_than_what_a_verdict_needs(rate, gain):
    plan = plan_split(rate=rate, gain=gain, share=0.5, weeks=4, traffic=Traffic(emails=100, answers=100))
    assert plan.planned >= 2 * MIN_LABELS
    assert plan_shadow(disagreement=0.5, gain=0.45, traffic=Traffic(emails=9, answers=9)).planned >= MIN_LABELS
