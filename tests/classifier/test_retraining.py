"""Retrainings: the gate's rules, when one starts, and the way from people's answers to promotion on the shipped mail."""

import gzip
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.models import (
    Department,
    Email,
    ModelAlias,
    ModelVersion,
    Retraining,
    RetrainingPlan,
    ServingPeriod,
    TrainingRun,
    TriggerReading,
    Verification,
)
from classifier.registry import runs
from classifier.registry.building import train_version, training_defaults
from classifier.registry.runs import start_waiting
from classifier.registry.services import promote, register
from classifier.retraining import pipeline
from classifier.retraining.datasets import build_data_set, read_rows
from classifier.retraining.gate import Comparison, compare, rule
from classifier.retraining.pipeline import ask_for_retraining, promote_by_hand, start_due
from classifier.retraining.rows import latest_snapshot
from ml.data import Example, load_corpus
from ml.scoring import Scores
from reviewdesk.errors import BackendError, Conflict, DeskError
from tests.classifier.test_datasets import labelled, say
from tests.factories import make_email, make_prediction, make_version

Decision = Retraining.Decision


@pytest.mark.parametrize(
    ("n", "only_old", "only_new", "decision", "said"),
    [
        (2_600, 20, 100, "passed", "+3.1 points (between +2.3 and +3.9): better by the 2 points asked for"),
        (2_600, 20, 60, "kept", "better, but not by the 2 points asked for"),
        (2_600, 90, 20, "kept", "worse"),
        (2_600, 50, 55, "kept", "it cannot be the 2 points asked for better"),
        (2_000, 120, 150, "kept", "that may be chance; about 5,300 more labels from weekly samples would settle it"),
        (2_000, 300, 300, "kept", "no gain to be seen"),
        (1_900, 0, 200, "undecided", "2,000 rows are asked for: about 200 more labels from weekly samples"),
        (
            0,
            0,
            0,
            "undecided",
            "No test row to compare on; 2,000 are asked for: about 4,000 more labels from weekly samples",
        ),
    ],
)
def test_the_gate_opens_at_two_points_that_are_no_chance(n, only_old, only_new, decision, said):
    right = n // 2
    ruling = rule(Comparison(n, right + only_old, right + only_new, only_old, only_new), gain=0.02)
    assert ruling.decision == decision
    assert said in ruling.sentence


def test_both_models_are_asked_about_the_same_rows():
    class Says:
        def __init__(self, *subtypes):
            self.subtypes = iter(subtypes)

        def predict(self, department, subject, body):
            return type("Scores", (), {"subtype": next(self.subtypes)})

    rows = [Example("it", "", "x", "query", subtype) for subtype in "abcd"]
    found = compare(Says("a", "b", "x", "x"), Says("a", "x", "c", None), rows, folds={})
    assert found == Comparison(n=4, old=2, new=2, only_old=1, only_new=1)
    assert found.figures["difference"] == 0


def test_a_merged_subtype_counts_as_the_one_that_took_it_over():
    scores = Scores(
        types=(("query", 1.0),), type="query", type_confidence=1.0, subtypes=(("old", 0.9), ("b", 0.1)), subtype="old",
        subtype_confidence=0.9,
    )  # fmt: skip

    class Says:
        def predict(self, *email):
            return scores

    folds = {"it": {"old": ("new", "query"), "new": ("new", "query"), "b": ("b", "query")}}
    rows = [Example("it", "", "x", "query", "new")]
    assert compare(Says(), Says(), rows, folds=folds) == Comparison(n=1, old=1, new=1, only_old=0, only_new=0)


def test_a_retraining_that_was_cancelled_counts_for_nothing(production):
    labelled(3)
    retraining = ask_for_retraining()
    data_set = build_data_set(snapshot=latest_snapshot(), production=production)
    data_set.save()
    Retraining.objects.update(data_set=data_set)
    runs.cancel(run=retraining.run, by=None)
    assert (pipeline.latest_data_set(), pipeline.new_labels()) == (None, 3)
    Retraining.objects.update(decision="kept")
    assert (pipeline.latest_data_set(), pipeline.new_labels()) == (data_set, 0)


@pytest.fixture
def production(db):
    return ModelAlias.objects.create(name="production", version=make_version()).version


def test_nothing_to_train_on_is_said(production):
    with pytest.raises(DeskError, match="Nobody has labelled"):
        ask_for_retraining()


def test_without_a_model_in_production_there_is_nothing_to_compare_with(db):
    labelled(1)
    with pytest.raises(BackendError, match="No model is in production"):
        ask_for_retraining()


def test_two_at_once_are_one(production):
    labelled(1)
    first = ask_for_retraining(reason="new wording")
    with pytest.raises(Conflict, match="going already"):
        ask_for_retraining()
    runs.cancel(run=first.run, by=None)
    second = ask_for_retraining()
    assert second.run.name == f"{first.run.name}-2"
    assert Retraining.objects.count() == 2


def test_it_is_started_as_a_process_of_its_own(production, monkeypatch):
    labelled(1)
    called = []
    monkeypatch.setattr(runs.subprocess, "Popen", lambda command, **_: called.append(command))
    run = ask_for_retraining().run
    assert start_waiting() == run
    assert called[0][1:] == ["manage.py", "retrain", "--run", str(run.pk)]


FIRST = datetime(2026, 11, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "trigger"),
    [(FIRST, "monthly"), (FIRST + timedelta(days=5), "monthly"), (FIRST + timedelta(days=10), None), (FIRST - timedelta(hours=2), None)],
)  # fmt: skip
def test_the_first_of_the_month_starts_one(production, now, trigger):
    labelled(1)
    found = start_due(now=now)
    assert (found.trigger if found else None) == trigger


def test_once_a_month_and_only_with_new_labels(production):
    assert start_due(now=FIRST) is None
    labelled(1)
    done = start_due(now=FIRST)
    TrainingRun.objects.update(status="done")
    Retraining.objects.filter(pk=done.pk).update(created_at=FIRST)
    assert start_due(now=FIRST + timedelta(days=1)) is None


def test_a_trigger_starts_one_where_enough_is_new(production, monkeypatch):
    TriggerReading.objects.create(trigger="drift", day=timezone.localdate(), fired=True, detail="KL 0.41")
    now = timezone.now().replace(day=20)
    TriggerReading.objects.update(day=now.date())
    labelled(3)
    assert start_due(now=now) is None, "three labels are too few"
    monkeypatch.setattr(pipeline, "LEAST_NEW", 3)
    RetrainingPlan.objects.create(automatic=False)
    assert start_due(now=now) is None
    RetrainingPlan.objects.update(automatic=True)
    found = start_due(now=now)
    assert (found.trigger, found.reason) == ("drift", "KL 0.41")
    assert start_due(now=now) is None, "one is going"
    TrainingRun.objects.update(status="done")
    assert start_due(now=now) is None, "and one was done this week"


@pytest.fixture(scope="module")
def mail() -> list[Example]:
    return [e for e in load_corpus() if e.department == "it"]


@pytest.fixture
def desk(transactional_db, mail, monkeypatch, starter_folder):
    """A desk with a weak model in production, and mail that people have answered."""
    from classifier.registry import serving
    from classifier.taxonomy import load_starter_taxonomy

    load_starter_taxonomy()
    monkeypatch.setattr(pipeline, "LEAST_TEST", 20)
    serving.forget()
    few = {}
    for e in mail:
        few.setdefault(e.subtype, e)
    names = [*few]
    wrong = [Example(e.department, e.subject, e.body, few[other].type, other) for e, other in zip(few.values(), names[1:] + names[:1], strict=True)]  # fmt: skip
    options = training_defaults() | {"frozen": True, "test": 0.0}
    if not (settings.MODELS_DIR / "weak").exists():
        train_version(name="weak", examples=wrong, options=options, trained_by="test")
    promote(version=register(name="weak"))
    yield Department.objects.get(slug="it")
    serving.forget()


def answered(mail: list[Example]) -> None:
    """Mail that came with its labels, so that a part of it may be held out."""
    for e in mail:
        email = make_email(subject=e.subject, body=e.body, department="it")
        make_prediction(email, subtype=e.subtype)
        say(email, e.subtype, source="gold")


@pytest.mark.timeout(300)
def test_from_answers_to_promotion_and_a_worse_one_is_refused(desk, mail, capsys, admin, client):
    from classifier.registry import serving

    answered(mail)
    call_command("retrain", reason="the first labels", verbosity=0)
    first = Retraining.objects.get()
    said = capsys.readouterr().out
    assert (first.decision, first.compared_with.version) == (Decision.PROMOTED, "weak"), first.sentence
    assert "Promoted. Right on" in said and str(first.data_set) in said
    assert first.comparison["n"] == first.data_set.test >= 20
    assert first.comparison["interval"][0] > 0
    assert serving.production_version() == first.run.version
    assert first.run.version.manifest["split_sizes"]["test"] == first.data_set.test
    assert ServingPeriod.objects.first().reason.startswith("retraining: Right on")

    for email in Email.objects.all():
        names = [s.slug for s in desk.subtypes.all()]
        if email.pk % 2:
            old = email.verifications.order_by("-pk").first().subtype.slug
            say(email, names[(names.index(old) + 1) % len(names)])
    held_out = {r.email for r in read_rows(first.data_set) if r.split == "test"}
    Verification.objects.filter(email__in=held_out, pk__gt=first.data_set.snapshot).update(action="skip")
    call_command("retrain", reason="careless labels", verbosity=0)
    second = Retraining.objects.first()
    assert second.data_set.parent == first.data_set
    assert second.decision == Decision.KEPT, second.sentence
    assert second.comparison["difference"] < 0
    assert serving.production_version() == first.run.version, "the better one goes on serving"
    with pytest.raises(DeskError, match="Say why"):
        promote_by_hand(retraining=second, reason=" ", by=admin)
    client.force_login(admin)
    page = client.get(f"/retraining/{second.pk}/").content.decode()
    assert "Kept current" in page and "Promote by hand, because" in page and f"Data set <code>{second.data_set}" in page
    assert "Grew from 1 earlier" in page
    client.post(f"/retraining/{second.pk}/promote/", {"reason": "the customer insists"})
    second.refresh_from_db()
    assert (second.decision, ServingPeriod.objects.first().reason) == (Decision.BY_HAND, "the customer insists")

    TrainingRun.objects.filter(pk=first.run.pk).update(status="running", attempts=2, version=None)
    call_command("retrain", run=first.run.pk, verbosity=0)
    again = Retraining.objects.select_related("run__version", "compared_with").get(pk=first.pk)
    assert (again.sentence, again.compared_with.version) == (first.sentence, "weak"), "a verdict is given once"
    assert (again.run.status, again.run.version) == ("done", first.run.version)
    assert "serves already" in client.post(f"/retraining/{second.pk}/promote/", {"reason": "twice"}).content.decode()

    page = client.get("/retraining/").content.decode()
    assert "Promoted by hand" in page and "Better than production by" in page
    rows = gzip.decompress(client.get(f"/retraining/data/{first.data_set.pk}/").getvalue())
    assert sha256(rows).hexdigest() == first.data_set.sha256


def test_it_is_asked_for_watched_and_cancelled_on_the_page(production, client, admin):
    client.force_login(admin)
    assert "Nobody has labelled an email yet" in client.get("/retraining/").content.decode()
    assert "Nobody has labelled" in client.post("/retraining/start/").content.decode()
    labelled(2)
    assert "<strong>2</strong>" in client.get("/retraining/").content.decode()
    found = client.post("/retraining/start/", {"reason": "new wording"}, follow=True)
    retraining = Retraining.objects.get()
    assert found.redirect_chain[-1][0] == f"/retraining/{retraining.pk}/"
    assert (retraining.run.user, retraining.reason, retraining.trigger) == (admin, "new wording", "manual")
    TrainingRun.objects.update(status="running", phase="embedding", done=3, total=9)
    panel = client.get(f"/retraining/{retraining.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "Embedding: 3 of 9" in panel and 'hx-trigger="every 1s"' in panel and panel.count("hx-get") == 1
    assert "is going: embedding" in client.get("/retraining/").content.decode()
    assert client.post("/retraining/start/").status_code == 409
    client.post(f"/retraining/{retraining.pk}/cancel/")
    assert TrainingRun.objects.get().status == "cancelled"


def test_the_plan_is_changed_and_bad_values_are_refused(client, admin):
    client.force_login(admin)
    client.post("/retraining/plan/", {"gain": "0.03", "frozen": "on"})
    plan = RetrainingPlan.objects.get()
    assert (plan.gain, plan.automatic, plan.promotes, plan.frozen) == (0.03, False, False, True)
    assert client.post("/retraining/plan/", {"gain": "2"}).status_code == 400
    assert "It starts on request alone" in client.get("/retraining/").content.decode()


def test_one_class_fails_with_its_reason_and_keeps_what_serves(desk, mail):
    answered([e for e in mail if e.subtype == mail[0].subtype][:6])
    with pytest.raises(CommandError, match="fewer than two subtypes"):
        call_command("retrain", verbosity=0)
    run = TrainingRun.objects.get(kind="retrain")
    assert run.status == "failed" and "fewer than two subtypes" in run.error
    assert run.retraining.decision == ""
    assert ModelVersion.objects.get(state="production").version == "weak"
