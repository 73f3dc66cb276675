"""What a test has shown: verdicts, guardrails, the check of the split."""

import json
import random

import pytest
from django.core.management import CommandError, call_command

from abtests import lifecycle, services
from abtests.models import Assignment, Phase
from abtests.reports import figures, headline, report
from abtests.services import Metric, judge, record_outcomes
from abtests.verdict import Status
from reviewdesk.audit.models import AuditEvent
from tests.abtests.helpers import PLAN, b_wins, measure


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


def test_a_better_b_is_found(running):
    experiment, phase = running()
    b_wins(phase)
    found = report(experiment)
    assert found.verdict.status == Status.DEPLOY
    assert (found.labels, found.labels_left) == (600, 0)
    said = figures(experiment)
    assert said["difference"] == pytest.approx(0.25)
    assert said["p_value"] < 1e-6
    assert said["arms"]["B"] == {"emails": 300, "verified": 300, "correct": 285}


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


def test_an_email_that_b_failed_on_is_not_scored_by_both(running):
    experiment, phase = running(mode="shadow")
    record_outcomes(phase=phase.pk, subject="1", arm="A", values={Metric.CONFIDENCE: 0.8})
    record_outcomes(phase=phase.pk, subject="1", arm="B", values={Metric.ERROR: 1.0})
    assert report(experiment).scored == 0


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


def test_what_a_split_has_shown_stays_when_another_begins(running):
    experiment, phase = running()
    b_wins(phase)
    lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.4)
    said = figures(experiment)
    assert (said["phase"], said["decision"], said["labels"]) == (2, "collecting", 0)
    assert [(p["phase"], p["decision"], p["labels"]) for p in said["phases"]] == [
        (1, "ready: deploy B", 600),
        (2, "collecting", 0),
    ]
    kept = AuditEvent.objects.get(action="change split").detail
    assert (kept["verdict"], "25.0 points better" in kept["shown"]) == ("ready: deploy B", True)


def test_the_verdict_of_a_test_that_is_over_is_kept_and_not_computed_again(running, django_assert_max_num_queries):
    experiment, phase = running()
    assert headline(experiment)[0] == "collecting"
    b_wins(phase)
    lifecycle.end(experiment=experiment)
    with django_assert_max_num_queries(1):
        word, said = headline(experiment)
    assert (word, said) == ("ready: deploy B", report(experiment).verdict.sentence)
    assert AuditEvent.objects.get(action="end").detail["verdict"] == word


def scored(phase, n: int, differ: int) -> None:
    for k in range(n):
        record_outcomes(phase=phase.pk, subject=str(k), arm="", values={Metric.DISAGREE: float(k < differ)})


def test_a_shadow_test_says_that_labels_are_missing_and_not_emails(running):
    experiment, phase = running(mode="shadow")
    scored(phase, 10, 0)
    assert "10 of the first 50 emails are scored" in report(experiment).verdict.sentence
    scored(phase, PLAN.planned, 40)
    found = report(experiment)
    assert found.asked
    assert (found.verdict.status, found.verdict.sentence) == (
        Status.COLLECTING,
        "Too early to compare: 40 disagreements wait for a label.",
    )
    for k in range(40):
        assert report(experiment).verdict.status == Status.COLLECTING, "labels still come"
        judge(subject=str(k), right={"old": k % 2 == 0, "new": k % 2 == 1})
    assert report(experiment).verdict.status == Status.OPEN, "all are in"


def test_trouble_belongs_to_the_phase_that_had_it(running):
    experiment, phase = running()
    services.note_trouble(phase=phase.pk, reason="Arm B fails to load.")
    lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.4)
    assert report(experiment).trouble == ""
    phase.refresh_from_db()
    assert phase.trouble == "Arm B fails to load."
    assert report(experiment, phase).verdict.status == Status.UNHEALTHY


def test_a_guardrail_is_said_to_hold_once_it_can_be_judged(running):
    experiment, phase = running(guardrails={"latency_ms": 50.0})

    def states() -> dict[str, str]:
        return {c.metric: c.state for c in report(experiment).checks}

    for arm in "AB":
        measure(phase, arm, 49)
    assert set(states().values()) == {"too early"}
    for arm in "AB":
        measure(phase, arm, 199)
    early = {"edit_distance", "latency_ratio", "latency_ms"}
    assert {metric for metric, state in states().items() if state == "too early"} == early
    for arm in "AB":
        measure(phase, arm, 200)
    assert {metric for metric, state in states().items() if state == "too early"} == {"edit_distance"}


def test_both_arms_are_labelled_before_as_many_as_planned_are_asked_for(running):
    experiment, phase = running()
    Phase.objects.update(planned=100)
    measure(phase, "A", 60, labelled=60, correct=50)
    measure(phase, "B", 48, labelled=48, correct=40)
    assert not report(experiment).asked, "of B too few are labelled for any verdict"
    measure(phase, "B", 50, labelled=50, correct=40)
    assert report(experiment).asked


def test_what_comes_in_after_the_end_counts_in_the_list_too(running):
    experiment, phase = running()
    measure(phase, "A", 60, labelled=60, correct=50)
    measure(phase, "B", 60, labelled=59, correct=50)
    lifecycle.end(experiment=experiment)
    judge(subject="B59", right={"new": True})
    assert headline(experiment)[1] == report(experiment).verdict.sentence


def test_a_shadow_test_that_begins_still_needs_its_labels(running):
    experiment, _ = running(mode="shadow", disagreement=0.1)
    assert report(experiment).labels_left == PLAN.planned * 0.1
