"""The accuracy page, its tables and the emails behind them."""

import csv

import pytest
from django.utils import timezone
from django.utils.html import escape

from classifier.accuracy.figures import FIGURES
from classifier.accuracy.sampling import draw_weekly_sample
from classifier.models import AccuracyAlert, Email, ModelAlias, SampleDraw, SamplePlan, Verification
from classifier.taxonomy_changes import merge_subtype
from classifier.visibility import limits
from tests.classifier.test_sampling import RIGHT, WRONG, answer_all
from tests.factories import make_classified, make_department, make_item, make_version


@pytest.fixture
def sampled(reviewer):
    """Ten emails answered, two of them otherwise than the model said; one more waits as unsure."""
    for n in range(10):
        make_classified(department="retail" if n < 3 else "it")
    draw = draw_weekly_sample(size=10)
    answer_all(reviewer, [RIGHT] * 8 + [WRONG] * 2)
    make_item()
    return draw


@pytest.fixture
def page(client, admin):
    client.force_login(admin)
    return lambda address: client.get(address).content.decode()


def test_the_page_shows_the_figure_its_n_and_the_progress_of_the_sample(page, sampled, admin):
    said = page("/accuracy/")
    assert "80.0%" in said
    assert "n = 10 of 10" in said
    assert "Every answer was given without seeing the model" in said
    for table in (load(7, admin) for load in FIGURES.values()):
        assert escape(table.title) in said


def test_an_empty_desk_offers_the_first_sample(page, client, db):
    assert "Draw the first" in page("/accuracy/")
    assert "nothing to draw from" in client.post("/accuracy/more/").content.decode()
    make_classified()
    client.post("/accuracy/more/")
    assert SampleDraw.objects.get().size == 1
    said = page("/accuracy/")
    assert "None of their emails is answered yet." in said and "Does the confidence hold?" in said
    for _ in range(3):
        make_classified()
    SampleDraw.objects.update(until=timezone.now())
    assert "drawn since you opened the page" in client.post("/accuracy/more/").content.decode(), "a double click"
    assert SampleDraw.objects.count() == 1


def test_one_click_draws_more_the_same_week(page, client, sampled):
    assert 'class="button primary">Draw 100 more' in page("/accuracy/")
    for _ in range(3):
        make_classified()
    SampleDraw.objects.update(until=timezone.now())
    client.post("/accuracy/more/", {"after": sampled.pk})
    assert set(SampleDraw.objects.values_list("week", "round")) == {(sampled.week, 1), (sampled.week, 2)}


@pytest.mark.parametrize("slug", FIGURES)
def test_every_table_can_be_downloaded(page, sampled, slug, admin):
    rows = list(csv.reader(page(f"/accuracy/{slug}.csv").splitlines()))
    assert tuple(rows[0]) == FIGURES[slug](28, admin).columns
    assert len(rows) == 1 + len(FIGURES[slug](28, admin).rows)


COUNTED = {
    "weekly": lambda cells: cells[8],
    "departments": lambda cells: cells[4],
    "versions": lambda cells: cells[4],
    "calibration": lambda cells: cells[4],
    "confusion": lambda cells: cells[3],
    "corrections": lambda cells: cells[1],
    "confidence": lambda cells: cells[3],
    "volumes": lambda cells: sum(cells[1:]),
    "volume-by-department": lambda cells: cells[1],
    "errors": lambda cells: cells[1],
}


@pytest.mark.parametrize("slug", COUNTED)
def test_every_row_leads_to_the_emails_it_counted(page, sampled, slug, admin):
    ModelAlias.objects.create(name="production", version=make_version())
    machine, spam, garbled = make_classified(), make_classified(), make_item().email
    Email.objects.filter(pk=machine.pk).update(automatic="bulk")
    Email.objects.filter(pk=garbled.pk).update(unreadable="empty")
    spam.prediction.subtype = None
    spam.prediction.save()
    label = Verification.objects.create(
        email=spam, prediction=spam.prediction, action="confirm", type="spam", source="agent", idempotency_key="spam",
        subtype=spam.department.subtypes.get(slug="ad_spam"),
    )  # fmt: skip
    Email.objects.filter(pk=spam.pk).update(verification=label)
    rows = FIGURES[slug](28, admin).rows
    assert rows
    for row in rows:
        shown = page(f"/accuracy/emails/?{row.link}").count("<summary>Printer")
        assert shown == COUNTED[slug](row.cells), row


@pytest.mark.parametrize(
    ("query", "n"), [("wrong=1", 2), ("department=retail", 3), ("high=0.5", 1), ("answered=1&low=0.9", 10), ("", 11)]
)
def test_emails_are_filtered(page, sampled, query, n):
    assert page(f"/accuracy/emails/?{query}").count("<summary>Printer") == n


def test_the_list_goes_on_where_it_stopped(page, db):
    for _ in range(52):
        make_classified()
    first = page("/accuracy/emails/")
    assert first.count("<summary>Printer") == 50
    before = Email.objects.order_by("-pk")[49].pk
    assert f"?before={before}" in first
    assert page(f"/accuracy/emails/?before={before}").count("<summary>Printer") == 2


def test_a_filter_that_is_none_is_refused_by_name(client, admin):
    client.force_login(admin)
    answer = client.get("/accuracy/emails/?low=much")
    assert answer.status_code == 400
    assert "low" in answer.content.decode()


def test_a_reviewer_sees_the_emails_of_their_departments_alone(client, reviewer, sampled):
    make_department("it").people.add(reviewer)
    limits.forget()
    client.force_login(reviewer)
    assert client.get("/accuracy/emails/").content.decode().count("<summary>Printer") == 8


def test_the_plan_is_changed_and_bad_values_are_refused(client, admin):
    client.force_login(admin)
    client.post("/accuracy/plan/", {"size": "200", "design": "department", "bar": "0.9"})
    plan = SamplePlan.objects.get()
    assert (plan.size, plan.design, plan.bar) == (200, "department", 0.9)
    assert client.post("/accuracy/plan/", {"size": "3", "design": "x", "bar": "0.9"}).status_code == 400
    assert SamplePlan.objects.get().size == 200


def test_an_open_alert_stands_on_the_page(page, db):
    AccuracyAlert.objects.create(version=make_version(), bar=0.85, weeks=2, value=0.7, low=0.6, high=0.79, n=200)
    assert "is 70.0% (60.0% to 79.0%, n = 200, 2 weeks), below the bar of 85%" in page("/accuracy/")


def test_an_open_alert_stands_on_every_page_of_an_admin(page, client, reviewer):
    AccuracyAlert.objects.create(version=make_version(), bar=0.85, weeks=2, value=0.7, low=0.6, high=0.79, n=200)
    said = "Accuracy is below the bar: 70.0% (60.0% to 79.0%, n = 200), test-model."
    assert said in page("/models/")
    assert said not in page("/accuracy/"), "there it stands in full"
    client.force_login(reviewer)
    assert said not in page("/review/")


def test_merged_subtypes_count_as_one_in_the_table_of_mix_ups(sampled, admin):
    assert len(FIGURES["confusion"](28, admin).rows) >= 1
    it = make_department("it")
    merge_subtype(subtype=it.subtypes.get(slug=WRONG), into=it.subtypes.get(slug=RIGHT), by=admin, reason="the same")
    assert all(row.cells[0] != "IT" for row in FIGURES["confusion"](28, admin).rows)
