"""Who is asked about the mail of a test, what the answers count for, and what is given back."""

from datetime import timedelta

from django.utils import timezone

from abtests import lifecycle, services
from abtests.planning import Plan
from abtests.reports import report
from classifier.accuracy.sampling import close_draws, draw_weekly_sample
from classifier.models import Department, Email, Prediction, ReviewItem, Source
from classifier.review import leases
from classifier.review.experiments import judge_email
from classifier.review.opening import open_for_experiment
from classifier.review.services import undo, verify
from reviewdesk import workflow
from reviewdesk.experiments import watching as experiments
from tests.classifier.arms.helpers import BODY, OTHER, receive
from tests.classifier.test_review import answer
from tests.factories import make_department, make_email, make_item


def test_a_sample_of_an_arm_is_labelled_and_the_answers_count(test_of, reviewer):
    experiment = test_of()
    receive(4)
    for k in range(4):
        item = leases.claim_next(user=reviewer)
        subtype = "outage_complaint" if k else OTHER
        kind = "complaint" if k else "query"
        verify(item=item, user=reviewer, answer=answer(item, type=kind, subtype=subtype))
    counts = report(experiment).counts
    assert sum(c.n for c in counts.values()) == 4
    assert sum(c.correct for c in counts.values()) == 3
    undo(user=reviewer)
    assert sum(c.n for c in report(experiment).counts.values()) == 3


def test_emails_outside_of_the_sample_are_not_asked_about(test_of):
    test_of(sample=0.0)
    receive(3)
    assert not ReviewItem.objects.exists()


def test_a_shadow_scores_unseen_and_people_judge_where_it_differs(test_of, contrary, reviewer):
    experiment = test_of(mode="shadow")
    (email,) = receive()
    assert (email.prediction.model_version.version, email.subtype.slug) == ("starter", "outage_complaint")
    shadow = Prediction.objects.get(model_version__version="second")
    assert (shadow.email, shadow.subtype.slug) == (email, OTHER)
    item = leases.claim_next(user=reviewer)
    assert (item.source, item.blind) == ("experiment", True)
    verify(item=item, user=reviewer, answer=answer(item, type="query", subtype=OTHER))
    found = report(experiment)
    assert (found.scored, found.disagreed, found.labelled, found.pairs.only_b) == (1, 1, 1, 1)
    undo(user=reviewer)
    assert report(experiment).labelled == 0


def test_where_the_shadow_agrees_nobody_is_asked(test_of):
    experiment = test_of(mode="shadow")
    receive(2)
    assert not ReviewItem.objects.exists()
    assert (report(experiment).scored, report(experiment).disagreed) == (2, 0)


def test_an_unsure_email_of_a_test_is_asked_about_once_and_blind(test_of):
    Department.objects.filter(slug="it").update(review_threshold=0.9999)
    test_of()
    receive()
    item = ReviewItem.objects.get()
    assert (item.source, item.blind) == (Source.EXPERIMENT, True)
    assert "under 1.00" in item.reason
    draw_weekly_sample(size=1)
    item.refresh_from_db()
    assert (item.source, item.draw is not None) == (Source.EXPERIMENT, True), "one answer serves both"


def test_what_a_finished_test_asked_for_is_given_back(test_of, contrary):
    """Items of the test alone leave the queue; what waits for a person anyway waits where it did."""
    experiment = test_of(mode="shadow")
    receive(2)
    unsure = make_item()
    open_for_experiment(unsure.email, unsure.prediction, "two models differ about it")
    asked = {"phase": experiment.phases.get().pk, "subject": str(unsure.email.pk), "arm": ""}
    services.record_outcomes(**asked, values={services.Metric.DISAGREE: 1.0})
    experiments.release_samples()
    assert ReviewItem.objects.filter(status="open", source="experiment", blind=True).count() == 3, "it still asks"
    lifecycle.end(experiment=experiment)
    experiments.watch()
    assert [(i.pk, i.source, i.blind) for i in ReviewItem.objects.filter(status="open")] == [
        (unsure.pk, "low_confidence", False)
    ]


def test_mail_of_machines_is_none_of_what_both_scored(test_of, contrary):
    experiment = test_of(mode="shadow")
    email = make_email(subject="Out of office", body=BODY)
    Email.objects.filter(pk=email.pk).update(automatic="reply")
    workflow.process(ids=[email.pk])
    assert (report(experiment).scored, report(experiment).disagreed) == (0, 0)


def test_an_email_of_a_sample_goes_back_to_it_while_it_is_open(test_of, contrary):
    """Taken by the weekly sample, then by a test; after the test it is the sample's again, and after that nobody's."""
    unsure = make_item()
    draw = draw_weekly_sample(size=1)
    experiment = test_of(mode="shadow")
    open_for_experiment(unsure.email, unsure.prediction, "two models differ about it")
    lifecycle.end(experiment=experiment)
    experiments.watch()
    unsure.refresh_from_db()
    assert (unsure.source, unsure.origin, unsure.blind, unsure.draw) == ("weekly", "low_confidence", True, draw)
    close_draws(now=timezone.now() + timedelta(days=15))
    unsure.refresh_from_db()
    assert (unsure.source, unsure.origin, unsure.status) == ("low_confidence", "", "open")


def test_what_b_said_in_another_department_is_not_judged(test_of, contrary, reviewer):
    """Moved before it was answered: the models' answers were about another department's subtypes."""
    experiment = test_of(mode="shadow")
    receive()
    email = Email.objects.get()
    item = ReviewItem.objects.get(email=email)
    make_department("retail")
    Email.objects.update(department=Department.objects.get(slug="retail"))
    judge_email(Email.objects.get())
    assert (report(experiment).disagreed, report(experiment).labelled) == (1, 0)
    assert item.source == Source.EXPERIMENT


def test_what_an_ended_phase_asked_for_is_given_back_though_the_test_goes_on(test_of, admin):
    experiment = test_of(sample=1.0)
    receive(4)
    waiting = ReviewItem.objects.filter(status="open", source="experiment")
    assert waiting.count() == 4
    lifecycle.end(experiment=experiment)
    plan = Plan(planned=100, labels=100, weeks=1, sentence="", sample_a=1.0, sample_b=1.0)
    phase = lifecycle.start(experiment=experiment, plan=plan, by=admin)
    receive(1)
    experiments.release_samples()
    assert waiting.count() == 1, "the new phase still asks"
    lifecycle.complete(phase=phase)
    experiments.release_samples()
    assert not waiting.exists(), "as many as planned are labelled"


def test_a_shadow_test_asks_about_its_disagreements_to_the_last(test_of, contrary):
    experiment = test_of(mode="shadow")
    receive(2)
    lifecycle.complete(phase=experiment.phases.get())
    receive(2)
    experiments.release_samples()
    assert ReviewItem.objects.filter(status="open", source="experiment").count() == 2
    assert report(experiment).scored == 2, "what came later is no part of it"
