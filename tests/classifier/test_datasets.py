"""Data sets: joined, freed of copies, their test rows never trained on, the same rows for the same labels."""

from itertools import count

import pytest

from classifier.accuracy.sampling import draw_weekly_sample
from classifier.models import DataSet, Department, Email, ModelAlias, Verification
from classifier.retraining.datasets import LABELLED_SHARE, build_data_set, file_of, read_rows, rows_of, seen_by
from classifier.retraining.gold import gold_check
from classifier.retraining.pipeline import ask_for_retraining
from classifier.retraining.rows import latest_snapshot
from classifier.taxonomy_changes import merge_subtype
from ml.data import read_examples
from reviewdesk.department_merge import merge_departments
from reviewdesk.errors import DeskError
from tests.factories import make_classified, make_department, make_version

_numbers = count(1)
RIGHT, WRONG = "outage_complaint", "bug_complaint"


def say(email: Email, subtype: str = RIGHT, **fields) -> Verification:
    found = email.department.subtypes.get(slug=subtype)
    defaults = {"type": found.type, "source": "low_confidence", "action": "confirm"}
    answer = Verification.objects.create(
        email=email, prediction=email.prediction, subtype=found, idempotency_key=f"key {next(_numbers)}", **{**defaults, **fields}
    )  # fmt: skip
    Email.objects.filter(pk=email.pk).update(verification=answer)
    return answer


def unlike(n: int) -> str:
    """A text that is no near-copy of another's."""
    return " ".join(
        f"word{chr(97 + (n * k) % 26)}{chr(97 + (n + k) % 26)}{chr(97 + n // 26 % 26)}" for k in range(1, 30)
    )


def labelled(n: int, **fields) -> list[Email]:
    emails = [
        make_classified(subject=unlike(next(_numbers)), body=unlike(next(_numbers) + 7), **fields) for _ in range(n)
    ]
    for email in emails:
        say(email, source="gold")
    return emails


def build(parent: DataSet | None = None, production=None) -> DataSet:
    found = build_data_set(snapshot=latest_snapshot(), production=production, parent=parent)
    found.save()
    return found


def test_the_same_labels_give_the_same_rows(db):
    labelled(30)
    first, second = build(), build()
    assert first.sha256 == second.sha256
    assert first.train + first.test == 30
    examples = read_examples(file_of(first))
    assert {e.split for e in examples} == {"train", "test"}
    assert (examples[0].department, examples[0].subtype) == ("it", RIGHT)


def test_a_fifth_is_held_out_and_stays_so(db):
    labelled(60)
    first = build()
    held_out = {row.email for row in read_rows(first) if row.split == "test"}
    assert 2 <= first.test <= 60 * LABELLED_SHARE * 2
    labelled(60)
    second = build(parent=first)
    assert second.parent == first
    assert second.counts["added"] == 60
    old = {row.email: row.split for row in read_rows(first)}
    assert {row.email: row.split for row in read_rows(second) if row.email in old} == old
    assert held_out <= {row.email for row in read_rows(second) if row.split == "test"}


def test_a_thread_is_never_on_both_sides(db):
    emails = labelled(40)
    for a, b in zip(emails[::2], emails[1::2], strict=True):
        Email.objects.filter(pk=b.pk).update(thread=a.thread)
    splits: dict[int, set[str]] = {}
    for row in read_rows(build()):
        splits.setdefault(row.thread, set()).add(row.split)
    assert len(splits) == 20
    assert all(len(found) == 1 for found in splits.values())


def test_near_copies_follow_the_row_that_was_there_first(db):
    first = labelled(30)
    one = build()
    rows = {row.email: row for row in read_rows(one)}
    copies = [make_classified(subject=email.subject, body=f"{email.body} thanks") for email in first]
    for copy in copies:
        say(copy, source="gold")
    second = {row.email: row for row in read_rows(build(parent=one))}
    assert {c.pk: second[c.pk].split for c in copies} == {
        c.pk: rows[e.pk].split for c, e in zip(copies, first, strict=True)
    }


def test_of_one_text_the_decided_label_counts_then_the_newest(db):
    emails = [make_classified(subject="Server", body="The server is down again.") for _ in range(3)]
    say(emails[0], WRONG, source="adjudication")
    say(emails[1], RIGHT)
    found = build()
    (row,) = read_rows(found)
    assert (row.subtype, row.decided) == (WRONG, True)
    assert found.counts["same text, another label"] == 1
    say(emails[2], RIGHT, source="adjudication")
    (row,) = read_rows(build())
    assert row.subtype == RIGHT


def test_labels_that_change_or_are_taken_back_change_or_leave_their_row(db):
    kept, changed, undone, deleted = labelled(4)
    first = build()
    say(changed, WRONG)
    answer = undone.verifications.get()
    Verification.objects.create(
        email=undone, action="undo", source="low_confidence", idempotency_key="undo", supersedes=answer
    )
    Email.objects.filter(pk=undone.pk).update(verification=None)
    number = deleted.pk
    Email.objects.filter(pk=number).update(verification=None, prediction=None)
    deleted.verifications.all().delete()
    Email.objects.get(pk=number).delete()
    second = build(parent=first)
    rows = {row.email: row.subtype for row in read_rows(second)}
    assert rows == {kept.pk: RIGHT, changed.pk: WRONG, number: RIGHT}
    assert (second.counts["changed"], second.counts["label taken back"], second.counts["added"]) == (1, 1, 0)


def test_rows_are_named_as_subtypes_are_counted_today(admin):
    labelled(3)
    first = build()
    it = make_department("it")
    merge_subtype(subtype=it.subtypes.get(slug=RIGHT), into=it.subtypes.get(slug=WRONG), by=admin, reason="the same")
    assert {row.subtype for row in read_rows(build(parent=first))} == {WRONG}
    it.subtypes.filter(slug=WRONG).update(active=False)
    third = build(parent=first)
    assert (third.train + third.test, third.counts["subtype out of use"]) == (0, 6)


def test_the_first_one_begins_with_what_the_starter_was_trained_on(starter):
    rows, base = rows_of(starter)
    assert base == "the shipped corpus"
    held_out = [row for row in rows if row.split == "test"]
    assert len(held_out) == starter.manifest["split_sizes"]["test"]
    assert not {row.key for row in held_out} & seen_by(starter)
    labelled(5)
    found = build(production=starter)
    assert (found.base, found.counts["added"]) == (base, 5)
    assert len(held_out) <= found.test <= len(held_out) + 5


def test_what_a_models_answer_chose_is_never_a_test(db):
    """Low confidence and corrections are the mistakes of the model in production; any other would look better on them."""
    for source in ("low_confidence", "agent", "second_look", "experiment"):
        for _ in range(15):
            say(make_classified(subject=unlike(next(_numbers)), body=unlike(next(_numbers) + 7)), source=source)
    assert build().test == 0
    for _ in range(40):
        make_classified(subject=unlike(next(_numbers)), body=unlike(next(_numbers) + 7))
    draw = draw_weekly_sample(size=200)
    for item in draw.items.select_related("email"):
        say(item.email, source="weekly")
    assert 25 <= build().test <= 75, "a half of the random sample"


def test_a_merged_department_keeps_its_rows_and_their_splits(admin):
    labelled(30, department="hr")
    make_department("it")
    first = build()
    merge_departments(
        department=Department.objects.get(slug="hr"),
        into=Department.objects.get(slug="it"),
        by=admin,
        reason="one team",
    )
    elsewhere = {row.email: row.split for row in read_rows(first)}
    second = build(parent=first)
    assert {row.email: row.split for row in read_rows(second)} == elsewhere
    assert {row.department for row in read_rows(second)} == {"it"}


def test_a_version_whose_rows_are_elsewhere_is_said_so(db):
    rows, base = rows_of(make_version())
    assert (rows, base) == ([], "nothing: the rows of test-model are not on this desk")
    assert seen_by(make_version()) is None


def test_people_who_contradict_the_labels_that_came_with_the_mail_are_told(db):
    for _ in range(25):
        email = make_classified()
        say(email, RIGHT, source="gold")
        say(email, WRONG, source="second_look")
    check = gold_check()
    assert (check.n, check.agreed, check.broken) == (25, 0, True)
    assert "on 0 of 25 emails" in check.sentence
    ModelAlias.objects.create(name="production", version=make_version())
    with pytest.raises(DeskError, match="To retrain all the same, say why"):
        ask_for_retraining()
    assert ask_for_retraining(reason="the old labels are known to be wrong").trigger == "manual"
    for email in Email.objects.all()[:20]:
        say(email, RIGHT, source="second_look")
    assert not gold_check().broken
