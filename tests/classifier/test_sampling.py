"""Weekly samples: reproducible, in rounds, stratified, tightened by the queue, closed; and the alerts they raise."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from classifier.accuracy import alerts
from classifier.accuracy.queries import by_department, by_version, week_of, weeks
from classifier.accuracy.sampling import close_draws, draw_now, draw_weekly_sample
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
from classifier.review.opening import flag
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
    second = draw_now(by=admin, after=first.pk)
    assert (second.week, second.round, second.size) == (first.week, 2, 5)
    assert not drawn(first) & drawn(second)
    answer_all(reviewer, [RIGHT] * 12 + [WRONG] * 3)
    (week,) = weeks()
    assert (week.drawn, week.subtype.n) == (15, 15)
    assert week.subtype.value == pytest.approx(0.8)
    with pytest.raises(Conflict, match="Every email of that week"):
        draw_now(by=admin, after=second.pk)


def test_a_round_keeps_the_design_of_its_week_and_tells_the_chance_over_both(admin):
    for n in range(40):
        make_classified(department="retail" if n < 10 else "it")
    first = draw_weekly_sample(size=20)
    SamplePlan.objects.create(design="department", size=10)
    second = draw_now(by=admin, after=first.pk)
    assert second.design == "uniform"
    chances = set(ReviewItem.objects.values_list("draw", "sampling_probability"))
    assert chances == {(first.pk, 30 / 40), (second.pk, 30 / 40)}


def test_without_mail_there_is_nothing_to_draw(admin):
    with pytest.raises(DeskError, match="nothing to draw from"):
        draw_now(by=admin, after=None)


def test_the_next_week_begins_where_the_last_draw_ended(db):
    for _ in range(5):
        make_classified()
    first = draw_weekly_sample(size=3)
    assert draw_weekly_sample(size=3, today=first.week + timedelta(days=7)) is None, "all of it is of the first week"
    late = make_classified()
    second = draw_weekly_sample(size=3, today=first.week + timedelta(days=7))
    assert (drawn(second), second.since, second.population) == ({late.pk}, first.until, 1)


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
    ((department, figure),) = by_department(found, version=make_version().pk)
    assert (department.slug, figure.value) == ("it", pytest.approx(5 / 6))
    assert by_version(found) == [("test-model", figure)]
    assert by_department(found, version=make_version("another").pk)[0][1].value is None


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


def test_what_waits_for_a_person_is_given_back_as_it_was(admin, reviewer):
    """An unreadable email, one that fits nothing, a flagged one, one of a test: a sample never ends their wait."""
    unsure, unreadable, flagged, tested, sure = make_item(), make_item(), make_item(), make_item(), make_classified()
    ReviewItem.objects.filter(pk=unreadable.pk).update(source="unreadable")
    ReviewItem.objects.filter(pk=tested.pk).update(source="experiment", blind=True)
    flag(email=flagged.email, reason="odd")
    draw_weekly_sample(size=5)
    flag(email=unsure.email, reason="odd too")
    close_draws(now=timezone.now() + timedelta(days=15))
    waiting = dict(ReviewItem.objects.filter(status="open").values_list("pk", "source"))
    assert waiting == {
        unsure.pk: "weekly", unreadable.pk: "unreadable", flagged.pk: "low_confidence", tested.pk: "experiment"
    }  # fmt: skip
    assert ReviewItem.objects.get(pk=tested.pk).blind
    assert ReviewItem.objects.get(email=sure).status == "done"


def test_answers_after_the_end_do_not_count(reviewer):
    """Only what was hard stays in the queue after a sample is closed: it would pull the closed week down."""
    make_classified()
    make_item()
    draw = draw_weekly_sample(size=2)
    give(reviewer, RIGHT)
    SampleDraw.objects.update(created_at=timezone.now() - timedelta(days=15))
    close_draws()
    before = week_of([SampleDraw.objects.get()])
    make_item()
    answer_all(reviewer, [WRONG] * ReviewItem.objects.filter(status="open", flagged=False).count())
    assert len(before.judged) == len(week_of([SampleDraw.objects.get()]).judged) == 1
    assert draw.size == 2


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


def test_an_alert_stays_while_nothing_new_is_known(admin, reviewer, production):
    """Neither another round nor a week that nobody answered is an all-clear."""
    test_accuracy_below_the_bar_raises_one_alert_and_mails_the_admins(admin, reviewer, production)
    first = SampleDraw.objects.get()
    for _ in range(5):
        make_classified()
    SampleDraw.objects.update(until=timezone.now())
    draw_now(by=admin, after=first.pk)
    alerts.watch_accuracy()
    assert len(alerts.open_alerts()) == 1
    close_draws(now=timezone.now() + timedelta(days=15))
    alerts.update_alerts()
    assert len(alerts.open_alerts()) == 1
    make_classified()
    assert draw_weekly_sample(size=1, today=first.week + timedelta(days=7)) is not None
    close_draws(now=timezone.now() + timedelta(days=15))
    alerts.update_alerts()
    assert len(alerts.open_alerts()) == 1, "a closed week without answers"


def test_a_department_is_alarmed_while_a_test_shares_its_mail(admin, reviewer, production):
    """Another version's emails in the same weeks belong to that version; they neither count nor end the count."""
    for _ in range(4):
        emails = [make_classified() for _ in range(12)]
        Prediction.objects.filter(email__in=emails[:2]).update(model_version=make_version("tested"))
        draw = draw_weekly_sample(size=12)
        answer_all(reviewer, [WRONG] * 12)
        close_draws()
        SampleDraw.objects.filter(pk=draw.pk).update(created_at=timezone.now())
        for old in SampleDraw.objects.order_by("week"):
            put_back(old, days=7)
    raised = {(a.department and a.department.slug, a.n) for a in alerts.update_alerts()}
    assert ("it", 40) in raised


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
    rows = by_department(weeks(), version=make_version().pk)
    assert [(d, p.value) for d, p in rows] == [(Department.objects.get(), None)]
