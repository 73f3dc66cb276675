"""Tests between versions: started once, sticky arms, phases, guardrails, verdicts, rollout."""

import json
import random

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from abtests import services
from abtests.models import Assignment, Experiment, Outcome, Phase
from abtests.planning import Plan, Traffic, plan_shadow, plan_split
from abtests.queries import figures, report
from abtests.services import Metric, judge, record_outcomes, seat_of
from abtests.verdict import Status
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError

PLAN = Plan(planned=400, labels=400, weeks=2, sentence="", sample_a=0.5, sample_b=0.5)


@pytest.fixture
def make(admin):
    def make(**fields) -> Experiment:
        defaults = {"name": "Newer heads", "mode": "split", "control": "old", "treatment": "new", "share": 0.5}
        return services.create(by=admin, **{**defaults, **fields})

    return make


@pytest.fixture
def running(make, admin):
    def running(**fields) -> tuple[Experiment, Phase]:
        experiment = make(**fields)
        phase = services.start(experiment=experiment, plan=PLAN, by=admin)
        experiment.refresh_from_db()
        return experiment, phase

    return running


def seats(n: int, start: int = 0):
    return [seat_of(department="it", thread=k, customer=1) for k in range(start, start + n)]


def measure(phase, arm: str, n: int, *, correct: int = 0, labelled: int = 0, offset: int = 0, **values):
    """n emails of an arm, of which the first `labelled` are judged."""
    usual = {Metric.CONFIDENCE: 0.8, Metric.LATENCY: 10.0, Metric.LOW: 0.0, Metric.ERROR: 0.0}
    for k in range(n):
        own = {**usual, **{metric: make_value(k) for metric, make_value in values.items()}}
        if k < labelled:
            own[Metric.CORRECT] = float(k < correct)
        record_outcomes(phase=phase.pk, subject=f"{arm}{k + offset}", arm=arm, values=own)


def test_a_split_test_puts_units_into_arms_and_keeps_them(running):
    experiment, phase = running(share=0.3)
    first = seats(400)
    assert 80 < sum(s.arm == "B" for s in first) < 160
    assert {s.serves for s in first if s.arm == "B"} == {"new"}
    services.change_share(experiment=experiment, share=0.6)
    assert [s.arm for s in seats(400)] == [s.arm for s in first], "stored: a unit stays where it is"
    later = seats(400, start=1_000)
    assert sum(s.arm == "B" for s in later) > 190
    assert {s.phase for s in later} == {phase.pk + 1}
    assert not any(s.measured for s in seats(400)), "met under another split: the arms would hold other populations"
    assert all(s.measured for s in later)


def test_an_arm_that_gets_no_mail_gives_no_verdict(running):
    """Few emails say nothing; many that all went to A are not the split that was set."""
    experiment, phase = running()
    measure(phase, "A", 60, labelled=60, correct=50)
    found = report(experiment)
    assert (found.verdict.status, found.emails) == (Status.COLLECTING, {"A": 60, "B": 0})
    assert "0 of the first 50 labels an arm are in" in found.verdict.sentence
    units = [Assignment(experiment=experiment, phase=phase, unit=f"thread:{k}", arm="A") for k in range(60)]
    Assignment.objects.bulk_create(units[:20])
    assert report(experiment).verdict.status == Status.COLLECTING, "twenty units are no evidence"
    Assignment.objects.bulk_create(units[20:])
    assert report(experiment).verdict.status == Status.UNHEALTHY
    assert "B has 0.0% of the units where 50.0% was set" in report(experiment).verdict.sentence


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
        services.start(experiment=other, plan=PLAN, by=admin)
    services.start(experiment=make(departments=["retail"]), plan=PLAN, by=admin)
    with pytest.raises(Conflict, match="every department"):
        services.start(experiment=make(), plan=PLAN, by=admin)


def test_it_is_started_once_and_can_go_on_after_an_end(running, admin):
    experiment, phase = running()
    with pytest.raises(Conflict, match="started once"):
        services.start(experiment=experiment, plan=PLAN, by=admin)
    before = [s.arm for s in seats(50)]
    services.end(experiment=experiment, by=admin)
    assert seats(1) == [None]
    services.start(experiment=experiment, plan=PLAN, by=admin)
    again = seats(50)
    assert [s.arm for s in again] == before and all(s.measured for s in again), "the split is the same"
    phases = list(Phase.objects.order_by("number"))
    assert [p.number for p in phases] == [1, 2]
    assert phases[0].ended_at is not None
    assert report(experiment).split.units == {"A": 0, "B": 0}, "units of the first phase do not count in the second"


def test_a_clock_that_went_back_makes_no_phase_end_before_its_start(running):
    experiment, phase = running()
    Phase.objects.update(started_at=timezone.now() + timezone.timedelta(hours=1))
    services.change_share(experiment=experiment, share=0.2)
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
        services.change_share(experiment=experiment, share=0.2)


def test_names_may_repeat(make):
    assert [make().slug, make().slug] == ["newer-heads", "newer-heads-2"]


def test_a_better_b_is_found(running):
    experiment, phase = running()
    measure(phase, "A", 300, labelled=300, correct=210)
    measure(phase, "B", 300, labelled=300, correct=285)
    found = report(experiment)
    assert found.verdict.status == Status.DEPLOY
    assert (found.labels, found.labels_left) == (600, 0)
    said = figures(found)
    assert said["difference"] == pytest.approx(0.25)
    assert said["p_value"] < 1e-6
    assert said["arms"]["B"] == {"emails": 300, "verified": 300, "correct": 285}


def test_an_edited_split_starts_the_figures_anew(running):
    experiment, phase = running()
    measure(phase, "A", 300, labelled=300, correct=210)
    measure(phase, "B", 300, labelled=300, correct=285)
    services.change_share(experiment=experiment, share=0.4)
    found = report(experiment)
    assert (found.verdict.status, found.labels) == (Status.COLLECTING, 0)


def test_judgements_go_to_the_arm_and_can_be_taken_back(running):
    experiment, phase = running()
    record_outcomes(phase=phase.pk, subject="7", arm="B", values={Metric.CONFIDENCE: 0.5})
    judge(subject="7", right={"new": True})
    assert report(experiment).counts["B"].n == 1
    judge(subject="7", right={"new": False})
    assert (report(experiment).counts["B"].n, report(experiment).counts["B"].correct) == (1, 0)
    judge(subject="7", right=None)
    assert report(experiment).counts["B"].n == 0


def test_pairs_of_a_shadow_test(running):
    experiment, phase = running(mode="shadow")
    for k in range(100):
        for arm in "AB":
            record_outcomes(phase=phase.pk, subject=str(k), arm=arm, values={Metric.CONFIDENCE: 0.8})
        record_outcomes(phase=phase.pk, subject=str(k), arm="", values={Metric.DISAGREE: float(k < 20)})
    for k in range(10):
        judge(subject=str(k), right={"old": k < 2, "new": 2 <= k < 9})
    found = report(experiment)
    assert (found.scored, found.disagreed, found.labelled) == (100, 20, 10)
    assert (found.pairs.scored, found.pairs.only_a, found.pairs.only_b) == (50, 2, 7)
    assert found.disagreement == 0.2
    judge(subject="0", right=None)
    assert report(experiment).pairs.only_a == 1


def test_a_split_that_is_not_what_was_configured_makes_it_unhealthy(running):
    experiment, phase = running(share=0.5)
    rows = [
        Assignment(experiment=experiment, phase=phase, unit=f"t{k}", arm="A" if k < 130 else "B") for k in range(200)
    ]
    Assignment.objects.bulk_create(rows)
    verdict = report(experiment).verdict
    assert verdict.status == Status.UNHEALTHY
    assert "35.0% of the units where 50.0% was set" in verdict.sentence


def test_an_arm_without_traffic_is_unhealthy(running):
    experiment, phase = running(share=0.1)
    Assignment.objects.bulk_create(
        Assignment(experiment=experiment, phase=phase, unit=f"t{k}", arm="A") for k in range(200)
    )
    assert "B has 0.0% of the units" in report(experiment).verdict.sentence


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        (Metric.CONFIDENCE, lambda k: 0.5 + k % 10 / 50, "mean confidence is down by 0.2"),
        (Metric.LOW, lambda k: float(k % 3 == 0), "share of low confidence is up by 33"),
        (Metric.ERROR, lambda k: float(k % 10 == 0), "error rate is up by 10.0 points, allowed 1 points"),
        (Metric.LATENCY, lambda k: 15.0 + k % 7, "latency of B is over 1.2 times that of A"),
    ],
)
def test_a_broken_guardrail_makes_it_unhealthy(running, metric, value, said):
    experiment, phase = running()
    measure(phase, "A", 400)
    measure(phase, "B", 400)
    assert report(experiment).trouble == ""
    measure(phase, "B", 400, **{metric: value})
    assert said in report(experiment).verdict.sentence


def test_an_absolute_bound_of_latency_holds_for_b_alone(running):
    experiment, phase = running(guardrails={"latency_ms": 8.0, "latency_ratio": None})
    measure(phase, "A", 250)
    measure(phase, "B", 250)
    assert report(experiment).trouble == "Guardrail broken: latency of B is over 8 ms."


def test_guardrails_of_equals_looked_at_daily_hold(running):
    """Two arms alike, noisy: fourteen looks raise no alarm. The bounds are those of a confidence sequence."""
    dice = random.Random(5)
    experiment, phase = running()
    for day in range(14):
        for arm in "AB":
            measure(
                phase, arm, 40, offset=day * 40,
                **{Metric.CONFIDENCE: lambda _: dice.betavariate(4, 1), Metric.LATENCY: lambda _: dice.lognormvariate(2, 0.6),
                   Metric.LOW: lambda _: float(dice.random() < 0.1)},
            )  # fmt: skip
        assert report(experiment).trouble == ""


def test_trouble_that_was_noted_stays_until_it_is_started_again(running, admin):
    experiment, _ = running()
    services.note_trouble(experiment=experiment.pk, reason="Arm B fails to load.")
    services.note_trouble(experiment=experiment.pk, reason="again")
    experiment.refresh_from_db()
    assert report(experiment).verdict.sentence == "Arm B fails to load."
    services.end(experiment=experiment)
    services.start(experiment=experiment, plan=PLAN, by=admin)
    experiment.refresh_from_db()
    assert experiment.trouble == ""


def test_a_rollout_goes_by_stages_is_held_and_leaves_a_ledger(running, admin):
    experiment, _ = running(mode="shadow")
    phase = services.begin_rollout(experiment=experiment, by=admin)
    assert phase.share == 0.1
    arms = [s.arm for s in seats(300)]
    assert 10 < arms.count("B") < 60
    services.hold(experiment=experiment, held=True, by=admin)
    with pytest.raises(Conflict, match="is held"):
        services.next_stage(experiment=experiment, after=phase.pk)
    second = services.next_stage(experiment=experiment, after=phase.pk, by=admin)
    assert second.share == 0.5
    with pytest.raises(Conflict, match="another stage"):
        services.next_stage(experiment=experiment, after=phase.pk, by=admin)
    assert services.next_stage(experiment=experiment, after=second.pk, by=admin) is None
    experiment.refresh_from_db()
    assert experiment.status == "deployed"
    ledger = AuditEvent.objects.filter(object_type="experiment").order_by("pk").values_list("action", flat=True)
    assert list(ledger) == ["create", "start", "roll out", "hold", "next stage", "deploy"]


def test_a_deployed_shadow_test_shows_its_last_stage_and_not_an_empty_shadow(running, admin):
    experiment, _ = running(mode="shadow")
    first = services.begin_rollout(experiment=experiment, by=admin)
    second = services.next_stage(experiment=experiment, after=first.pk, by=admin)
    measure(second, "B", 5)
    services.next_stage(experiment=experiment, after=second.pk, by=admin)
    experiment.refresh_from_db()
    found = report(experiment)
    assert (found.pairs, found.split.share, found.emails["B"]) == (None, 0.5, 5)


def test_an_email_that_b_failed_on_is_not_scored_by_both(running):
    experiment, phase = running(mode="shadow")
    record_outcomes(phase=phase.pk, subject="1", arm="A", values={Metric.CONFIDENCE: 0.8})
    record_outcomes(phase=phase.pk, subject="1", arm="B", values={Metric.ERROR: 1.0})
    assert report(experiment).scored == 0


def test_a_rollout_is_rolled_back_at_once(running, admin):
    experiment, _ = running(mode="shadow")
    services.begin_rollout(experiment=experiment, by=admin)
    services.roll_back(experiment=experiment, by=admin, reason="customers complain")
    assert seats(1) == [None]
    experiment.refresh_from_db()
    assert (experiment.status, experiment.trouble) == ("rolled_back", "customers complain")
    with pytest.raises(Conflict, match="only an active test"):
        services.next_stage(experiment=experiment, after=0)


def test_the_command_says_what_a_test_of_the_desk_has_shown(running, capsys):
    _, phase = running()
    measure(phase, "A", 60, labelled=60, correct=40)
    measure(phase, "B", 60, labelled=60, correct=50)
    call_command("analyze_experiment", "newer-heads")
    assert "Newer heads: old against new, split, running" in capsys.readouterr().out
    call_command("analyze_experiment", "newer-heads", json=True)
    assert json.loads(capsys.readouterr().out)["labels"] == 120
    with pytest.raises(CommandError, match="'other' is unknown; allowed: newer-heads"):
        call_command("analyze_experiment", "other")


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
