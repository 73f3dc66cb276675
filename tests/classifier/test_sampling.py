"""Weekly samples: reproducible, in rounds, stratified, tightened by the queue, closed; and the alerts they raise."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from classifier.accuracy import alerts
from classifier.accuracy.queries import by_department, by_version, week_of, weeks
from classifier.accuracy.sampling import close_draws, draw_more, draw_weekly_sample
from classifier.models import (
    AccuracyAlert,
    Department,
    Email,
    ModelAlias,
    Prediction,
    ReviewItem,
    SampleDraw,
    SamplePlan,
    Verification,
)
from classifier.review import leases
from classifier.review.services import verify
from reviewdesk.errors import Conflict, DeskError
from tests.classifier.test_review import answer
from tests.factories import make_classified, make_item, make_version

RIGHT, WRONG = "outage_complaint", "bug_complaint"


def drawn(draw: SampleDraw) -> set[int]:
    return set(ReviewItem.objects.filter(draw=draw).values_list("email", flat=True))


def give(user, subtype: str) -> None:
    item = leases.claim_next(user=user)
    assert item is not None
    verify(item=item, user=user, answer=answer(item, subtype=subtype))


def answer_all(user, subtypes: list[str]) -> None:
    for subtype in subtypes:
        give(user, subtype)


def put_back(draw: SampleDraw, days: int) -> None:
    """As if it had been drawn, and its mail had come, that long ago."""
    then = timedelta(days=days)
    SampleDraw.objects.filter(pk=draw.pk).update(
        week=draw.week - then, since=draw.since - then, until=draw.until - then, created_at=draw.created_at - then
    )
    Prediction.objects.filter(email__in=drawn(draw)).update(created_at=draw.until - then - timedelta(hours=1))


@pytest.fixture
def production(db):
    version = make_version()
    return ModelAlias.objects.create(name="production", version=version).version


def test_the_same_seed_draws_the_same_emails(db):
    for _ in range(30):
        make_classified()
    draw = draw_weekly_sample(size=10, seed=7)
    first = drawn(draw)
    ReviewItem.objects.all().delete()
    draw.delete()
    assert drawn(draw_weekly_sample(size=10, seed=7)) == first
    other = SampleDraw.objects.get()
    assert (other.seed, other.design) == (7, "uniform")


def test_by_department_each_has_some_and_its_own_probability(db):
    SamplePlan.objects.create(design="department")
    for n in range(40):
        make_classified(department="retail" if n < 4 else "it")
    draw = draw_weekly_sample(size=16)
    of_retail = ReviewItem.objects.filter(draw=draw, email__department__slug="retail")
    assert of_retail.count() == 4
    assert {i.sampling_probability for i in of_retail} == {1.0}
    assert {i.stratum for i in ReviewItem.objects.filter(draw=draw)} == {"it", "retail"}


def test_another_round_takes_what_the_first_left(admin, reviewer):
    for _ in range(15):
        make_classified()
    first = draw_weekly_sample(size=10)
    second = draw_more(by=admin)
    assert (second.week, second.round, second.size) == (first.week, 2, 5)
    assert not drawn(first) & drawn(second)
    answer_all(reviewer, [RIGHT] * 12 + [WRONG] * 3)
    (week,) = weeks()
    assert (week.drawn, week.subtype.n) == (15, 15)
    assert week.subtype.value == pytest.approx(0.8)
    with pytest.raises(Conflict, match="Every email of that week"):
        draw_more(by=admin)


def test_more_without_a_first_is_refused(admin):
    with pytest.raises(DeskError, match="draw the first"):
        draw_more(by=admin)


def test_a_queue_that_was_worked_off_whole_tightens_the_interval(reviewer):
    for _ in range(20):
        make_item()
    for _ in range(30):
        make_classified()
    draw = draw_weekly_sample(size=20, seed=1)
    answer_all(reviewer, [RIGHT] * ReviewItem.objects.filter(status="open").count())
    week = week_of([draw])
    assert week.covered
    plain = [s for s in week.strata() if not s.covered]
    assert week.subtype.n == plain[0].n < 20, "labels of the rest carry the doubt"
    Verification.objects.filter(email__review_items__draw=None).update(action="skip")
    Email.objects.filter(verification__action="skip").update(verification=None)
    assert not week_of([draw]).covered, "one that is missing and the stratum is not covered"


def test_figures_by_department_and_version(reviewer):
    for _ in range(6):
        make_classified()
    draw_weekly_sample(size=6)
    answer_all(reviewer, [RIGHT] * 5 + [WRONG])
    found = weeks()
    (row,) = by_department(found)
    assert (row.figure.value, row.alarm) == (pytest.approx(5 / 6), None)
    assert by_version(found) == [("test-model", row.figure)]


def test_a_sample_closes_when_it_is_answered_and_when_its_time_is_over(reviewer):
    for _ in range(3):
        make_classified()
    unsure = make_item()
    draw = draw_weekly_sample(size=4)
    give(reviewer, RIGHT)
    assert close_draws() == []
    assert close_draws(now=timezone.now() + timedelta(days=15)) == [draw]
    unsure.refresh_from_db()
    waiting = ReviewItem.objects.filter(status="open")
    assert all(item.prediction.withheld and item.source == "low_confidence" for item in waiting)
    assert week_of([draw]).drawn == 4


def test_accuracy_below_the_bar_raises_one_alert_and_mails_the_admins(admin, reviewer, production):
    admin.email = "admin@example.com"
    admin.save()
    for _ in range(60):
        make_classified()
    draw_weekly_sample(size=60)
    answer_all(reviewer, [RIGHT] * 30 + [WRONG] * 30)
    assert alerts.update_alerts() == [], "not before the sample is closed"
    alerts.watch_accuracy()
    alerts.watch_accuracy()
    alert = AccuracyAlert.objects.get()
    assert (alert.version, alert.department, alert.n, alert.value) == (production, None, 60, pytest.approx(0.5))
    (sent,) = mail.outbox
    assert sent.to == ["admin@example.com"]
    assert "50.0% (95% interval" in sent.body


def test_an_alert_ends_with_the_version_it_is_about(admin, reviewer, production):
    test_accuracy_below_the_bar_raises_one_alert_and_mails_the_admins(admin, reviewer, production)
    ModelAlias.objects.update(version=make_version("better"))
    assert alerts.update_alerts() == []
    assert AccuracyAlert.objects.get().closed_at is not None
    assert alerts.open_alerts() == []


def test_a_good_week_after_a_bad_one_is_pooled_only_within_a_version(reviewer, production):
    for subtype in (WRONG, RIGHT):
        emails = [make_classified() for _ in range(30)]
        draw = draw_weekly_sample(size=30)
        answer_all(reviewer, [subtype] * len(emails))
        close_draws()
        if subtype == WRONG:
            Prediction.objects.update(model_version=make_version("older"))
            put_back(draw, days=7)
    assert alerts.update_alerts() == []
    Prediction.objects.update(model_version=production)
    (alert,) = alerts.update_alerts()
    assert (alert.weeks, alert.value) == (2, pytest.approx(0.5))


def test_reviewers_are_reminded_once(reviewer):
    reviewer.email = "rita@example.com"
    reviewer.save()
    make_classified()
    draw_weekly_sample(size=1)
    assert alerts.remind() == []
    SampleDraw.objects.update(created_at=timezone.now() - timedelta(days=6))
    assert len(alerts.remind()) == 1
    assert alerts.remind() == []
    assert "1 of the 1 emails" in mail.outbox[0].body


def test_departments_without_labels_are_listed_without_a_figure(db):
    make_classified()
    draw_weekly_sample(size=1)
    (row,) = by_department(weeks())
    assert (row.department, row.figure.value) == (Department.objects.get(), None)
