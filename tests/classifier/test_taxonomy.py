"""The taxonomy changes while it is in use: labels follow, answers stay, the model's scores fold."""

import pytest

from classifier.accuracy.queries import week_of
from classifier.accuracy.sampling import draw_weekly_sample
from classifier.models import Email, Subtype, Verification
from classifier.prediction.services import classify_text
from classifier.registry.newcomers import _examples
from classifier.retraining.rows import label_rows, latest_snapshot
from classifier.review import leases
from classifier.review.queries import examples_of
from classifier.review.services import correct, verify
from classifier.taxonomy_changes import (
    add_department,
    add_subtype,
    change_subtype,
    effect_of,
    merge_subtype,
    restore_subtype,
    retire_subtype,
)  # fmt: skip
from reviewdesk.errors import Conflict, DeskError
from tests.classifier.test_review import answer
from tests.factories import make_classified, make_department, make_item


@pytest.fixture
def subtypes(db):
    return {s.slug: s for s in make_department().subtypes.all()}


def test_a_merge_moves_labels_and_leaves_the_answers(subtypes, admin, agent):
    bug, outage = subtypes["bug_complaint"], subtypes["outage_complaint"]
    labelled = make_classified(subtype="access_query")
    correct(email=labelled, user=agent, type="", subtype="bug_complaint")
    make_classified(subtype="bug_complaint")
    assert (effect_of(bug).verified, effect_of(bug).predicted) == (1, 1)
    moved = merge_subtype(subtype=bug, into=outage, by=admin, reason="the same")
    assert (moved.verified, moved.predicted) == (1, 1)
    assert {e.subtype for e in Email.objects.all()} == {outage}
    assert Verification.objects.get().subtype_id == bug.pk, "an answer stays as it was given"
    (row,) = label_rows(latest_snapshot())
    assert (row["subtype"], row["predicted_subtype"]) == ("outage_complaint", "access_query")


def test_a_merge_of_a_merged_one_goes_all_the_way(subtypes, admin):
    bug, outage, query = (subtypes[s] for s in ("bug_complaint", "outage_complaint", "access_query"))
    merge_subtype(subtype=bug, into=outage, by=admin, reason="the same")
    merge_subtype(subtype=outage, into=query, by=admin, reason="the same")
    assert {s.final.slug for s in Subtype.objects.filter(pk__in=[bug.pk, outage.pk])} == {"access_query"}


def test_a_merge_is_undone_with_its_labels(subtypes, admin, agent):
    bug, outage, query = (subtypes[s] for s in ("bug_complaint", "outage_complaint", "access_query"))
    by_person, by_model, own = make_classified(), make_classified(subtype="bug_complaint"), make_classified()
    correct(email=by_person, user=agent, type="", subtype="bug_complaint")
    merge_subtype(subtype=query, into=bug, by=admin, reason="the same")
    earlier = make_classified(subtype="access_query")
    merge_subtype(subtype=bug, into=outage, by=admin, reason="the same")
    assert restore_subtype(subtype=bug, by=admin) == 3
    labels = {e.pk: (e.subtype.slug, e.type) for e in Email.objects.select_related("subtype")}
    assert labels[by_person.pk] == labels[by_model.pk] == labels[earlier.pk] == ("bug_complaint", "complaint")
    assert labels[own.pk] == ("outage_complaint", "complaint"), "it never was the merged one"
    query.refresh_from_db()
    assert query.merged_into == bug, "what had been merged before comes along"


def test_what_is_merged_already_is_not_merged_again(subtypes, admin):
    bug, outage, query = (subtypes[s] for s in ("bug_complaint", "outage_complaint", "access_query"))
    make_classified(subtype="bug_complaint")
    merge_subtype(subtype=bug, into=outage, by=admin, reason="the same")
    with pytest.raises(Conflict, match="out of use already"):
        merge_subtype(subtype=bug, into=query, by=admin, reason="the same")
    assert restore_subtype(subtype=bug, by=admin) == 1


def test_a_merge_shows_its_effect_and_wants_a_target_and_a_reason(client, subtypes, admin):
    client.force_login(admin)
    bug, query = subtypes["bug_complaint"], subtypes["access_query"]
    make_classified(subtype="bug_complaint")
    effect = client.get(f"/settings/subtypes/{bug.pk}/effect/").content.decode()
    assert '<option value="">choose a subtype…</option>' in effect
    assert client.get(f"/settings/subtypes/{bug.pk}/merge/effect/?into=").content.decode().strip() == ""
    shown = client.get(f"/settings/subtypes/{bug.pk}/merge/effect/?into={query.pk}").content.decode()
    assert "complaint becomes query" in shown and 'name="reason" required' in shown
    for fields in ({}, {"into": query.pk}, {"reason": "x"}, {"into": query.pk, "shown": query.pk, "reason": " "},
                   {"into": query.pk, "shown": bug.pk, "reason": "x"}):  # fmt: skip
        assert client.post(f"/settings/subtypes/{bug.pk}/merge/", fields).status_code == 400
    bug.refresh_from_db()
    assert bug.merged_into is None
    client.post(
        f"/settings/subtypes/{bug.pk}/merge/", {"into": query.pk, "shown": query.pk, "reason": "they mean the same"}
    )
    assert "Undo the merge" in client.get(f"/settings/taxonomy/{bug.department_id}/").content.decode()


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("one\n---\ntwo", ["one", "two"]),
        ("one\r\n----\r\ntwo", ["one", "two"]),
        ("--- Original Message ---\nFrom: a\n---\ntwo", ["--- Original Message ---\nFrom: a", "two"]),
        ("one\n--\nsignature", ["one\n--\nsignature"]),
        ("---\n\n---\n", []),
    ],
)
def test_reviewers_and_the_model_read_the_same_examples(subtypes, admin, written, texts):
    bug = subtypes["bug_complaint"]
    change_subtype(subtype=bug, name=bug.name, guideline="", examples=written, by=admin)
    assert examples_of(bug) == texts == [body for _, body in _examples(bug)]


def test_accuracy_counts_merged_subtypes_as_one(subtypes, admin, reviewer):
    make_classified(subtype="bug_complaint")
    draw = draw_weekly_sample(size=1)
    item = leases.claim_next(user=reviewer)
    verify(item=item, user=reviewer, answer=answer(item, subtype="outage_complaint"))
    assert week_of([draw]).subtype.value == 0
    merge_subtype(subtype=subtypes["bug_complaint"], into=subtypes["outage_complaint"], by=admin, reason="the same")
    assert week_of([draw]).subtype.value == 1


def test_a_subtype_retired_while_its_item_is_open_is_refused_by_name_and_the_hold_stays(subtypes, admin, reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    retire_subtype(subtype=subtypes["bug_complaint"], by=admin)
    with pytest.raises(DeskError, match="'bug_complaint' is not in it; allowed: "):
        verify(item=item, user=reviewer, answer=answer(item))
    assert leases.held_by(reviewer) == item
    with pytest.raises(Conflict):
        retire_subtype(subtype=subtypes["bug_complaint"], by=admin)


def test_a_subtype_renamed_while_its_item_is_open_is_still_that_one(subtypes, admin, reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    change_subtype(subtype=subtypes["bug_complaint"], name="Defect", guideline="g", examples="", by=admin)
    assert verify(item=item, user=reviewer, answer=answer(item)).subtype.name == "Defect"


def test_the_model_gives_no_retired_subtype_and_the_target_of_a_merged_one(starter, admin):
    text = {
        "subject": "Refund",
        "body": "My refund for the returned shoes has not arrived for three weeks. I am angry.",
    }
    department = Subtype.objects.filter(department__slug="ecommerce").first().department
    said = classify_text(department=department, **text).scores.subtype
    subtype = department.subtypes.get(slug=said)
    other = department.subtypes.filter(type=subtype.type).exclude(pk=subtype.pk).first()
    merge_subtype(subtype=subtype, into=other, by=admin, reason="the same")
    merged = classify_text(department=department, **text).scores
    assert merged.subtype == other.slug and said not in dict(merged.subtypes)
    restore_subtype(subtype=subtype, by=admin)
    assert classify_text(department=department, **text).scores.subtype == said
    retire_subtype(subtype=subtype, by=admin)
    assert said not in dict(classify_text(department=department, **text).scores.subtypes)


@pytest.mark.parametrize("name", ["Access query", "!!!"])
def test_a_subtype_that_cannot_be_added(subtypes, admin, name):
    with pytest.raises(DeskError, match="cannot be added"):
        add_subtype(department=make_department(), name=name, type="query", guideline="", examples="", by=admin)


def test_merging_needs_another_one_in_use_of_the_department(subtypes, admin):
    retail = make_department("retail").subtypes.first()
    with pytest.raises(DeskError, match="another subtype of"):
        merge_subtype(subtype=subtypes["bug_complaint"], into=retail, by=admin, reason="the same")
    retire_subtype(subtype=subtypes["ad_spam"], by=admin)
    with pytest.raises(DeskError, match="out of use"):
        merge_subtype(subtype=subtypes["bug_complaint"], into=subtypes["ad_spam"], by=admin, reason="the same")


def test_the_pages(client, subtypes, admin):
    client.force_login(admin)
    client.post("/settings/taxonomy/add/", {"name": "Parking"})
    department = add_department(name="Other desk", by=admin)
    assert "Parking" in client.get("/settings/taxonomy/").content.decode()
    fields = {"name": "Lost ticket query", "type": "query", "guideline": "A lost ticket.", "examples": "I lost it."}
    client.post(f"/settings/taxonomy/{department.pk}/subtypes/", fields)
    made = department.subtypes.get()
    assert (made.slug, made.type, made.guideline) == ("lost_ticket_query", "query", "A lost ticket.")
    client.post(f"/settings/subtypes/{made.pk}/change/", {"name": "Lost ticket", "guideline": "", "examples": ""})
    assert "Lost ticket" in client.get(f"/settings/taxonomy/{department.pk}/").content.decode()
    bug = subtypes["bug_complaint"]
    assert "0 labels by people" in client.get(f"/settings/subtypes/{bug.pk}/effect/").content.decode()
    client.post(
        f"/settings/subtypes/{bug.pk}/merge/",
        {"into": subtypes["outage_complaint"].pk, "shown": subtypes["outage_complaint"].pk, "reason": "same"},
    )
    assert "part of Outage complaint" in client.get(f"/settings/taxonomy/{bug.department_id}/").content.decode()
    client.post(f"/settings/subtypes/{bug.pk}/restore/")
    client.post(f"/settings/subtypes/{bug.pk}/retire/")
    bug.refresh_from_db()
    assert not bug.active
    client.post(f"/settings/taxonomy/{department.pk}/change/", {"name": "Gone"})
    department.refresh_from_db()
    assert (department.name, department.active) == ("Gone", False)
