"""Versions: promoted, rolled back, archived; the ledger; and processes that change over without losing a request."""

import json
import shutil
import threading
import time
from types import SimpleNamespace

import pytest
from django.urls import reverse

from classifier.models import Department, Email, ModelAlias, ModelVersion, ServingPeriod, Subtype
from classifier.registry import newcomers
from classifier.registry import serving as serving_module
from classifier.registry.promotion import promote_by_person
from classifier.registry.queries import ledger, threshold_choices
from classifier.registry.services import archive, promote, record_evaluation, register, restore, roll_back, set_testing
from classifier.registry.serving import serving
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import BackendError, DeskError
from reviewdesk.people.services import create_token

STATES = ModelVersion.State


@pytest.fixture
def second(starter, starter_folder):
    """Another version: the starter's files under another name."""
    folder = starter_folder.with_name("second")
    shutil.copytree(starter_folder, folder)
    yield register(name="second")
    shutil.rmtree(folder, ignore_errors=True)


def production() -> str:
    return ModelAlias.objects.get(name="production").version.version


def test_promotion_and_rollback_move_aliases_states_and_the_ledger(starter, second, admin):
    promote(version=second, by=admin, reason="two points better")
    starter.refresh_from_db()
    assert (production(), second.state, starter.state) == ("second", STATES.PRODUCTION, STATES.DEPRECATED)
    assert roll_back(by=admin).version == "starter"
    rows = ledger()
    assert [(r["version"], r["how"], r["until"] is None) for r in rows] == [
        ("starter", "rolled back", True), ("second", "promoted", False), ("starter", "promoted", False),
    ]  # fmt: skip
    assert rows[1]["reason"] == "two points better" and rows[1]["by"] == admin.username
    assert rows[1]["until"] == rows[0]["since"]
    assert ServingPeriod.objects.filter(until__isnull=True).count() == 1
    assert AuditEvent.objects.filter(action="promote").count() == 3


def test_states_follow_their_order(starter, second):
    set_testing(version=second)
    archive(version=second)
    with pytest.raises(DeskError, match="second is archived; allowed: candidate, testing, deprecated"):
        promote(version=second)
    restore(version=second)
    assert second.state == STATES.CANDIDATE
    with pytest.raises(DeskError, match="starter is in production"):
        archive(version=starter)
    with pytest.raises(DeskError, match="second is candidate; allowed: archived, testing"):
        restore(version=second)
    with pytest.raises(DeskError, match="no previous model"):
        roll_back()


def test_a_corrupt_artifact_is_never_promoted(starter, second, settings):
    file = settings.MODELS_DIR / "second" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(DeskError, match="model.onnx has SHA-256"):
        promote(version=second)
    assert production() == "starter"


def test_a_process_changes_over_while_the_old_model_answers(starter, second, monkeypatch):
    assert serving().version.version == "starter"
    promote(version=second)
    loading = threading.Event()
    load = serving_module.Predictor

    def slow(*args):
        loading.wait(5)
        return load(*args)

    monkeypatch.setattr(serving_module, "Predictor", slow)
    monkeypatch.setattr(serving_module, "_checked", time.monotonic() - 1.5)  # a second ago: not idle
    assert serving().version.version == "starter", "the old one answers while the new one loads"
    loading.set()
    serving_module._loading.join()
    assert serving().version.version == "second"


def test_an_idle_process_loads_before_it_answers(starter, second, monkeypatch):
    serving()
    promote(version=second)
    monkeypatch.setattr(serving_module, "_checked", time.monotonic() - 60)
    assert serving().version.version == "second"


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_serving(starter, second, settings, monkeypatch, caplog):
    serving()
    promote(version=second)
    (settings.MODELS_DIR / "second" / "model.onnx").unlink()
    monkeypatch.setattr(serving_module, "_checked", time.monotonic() - 60)
    assert serving().version.version == "starter"
    assert "model.onnx is missing" in caplog.text
    serving_module.forget()
    with pytest.raises(BackendError, match="model.onnx is missing"):
        serving()


def test_a_new_department_works_at_once_by_the_examples_people_give(starter, monkeypatch):
    bakery = Department.objects.create(slug="bakery", name="Bakery")
    texts = {
        ("cake_order_query", "query"): "Can I order a birthday cake for Saturday?\n---\nHow do I order a cake with a name on it?",
        ("stale_bread_complaint", "complaint"): "The bread was stale again!\n---\nYour rolls were hard as stone today, I am angry",
    }  # fmt: skip
    serving()
    for (slug, kind), examples in texts.items():
        Subtype.objects.create(department=bakery, slug=slug, name=slug, type=kind, examples=examples)
    monkeypatch.setattr(serving_module, "_checked", time.monotonic() - 60)
    predict = serving().predictor.predict
    assert predict("bakery", "", "I would like to order a cake for a birthday").subtype == "cake_order_query"
    angry = predict("bakery", "", "the bread I bought was stale and hard, terrible")
    assert (angry.subtype, angry.type) == ("stale_bread_complaint", "complaint")
    assert sum(p for _, p in angry.subtypes) == pytest.approx(1)


def test_emails_that_people_labelled_are_examples_too(starter, client, agent, settings, tmp_path):
    from classifier.intake.files import import_file

    rows = ["department,subject,body,type,subtype"]
    rows += [f"bakery,,{text},query,opening_query" for text in ("When do you open?", "Are you open on Sunday?")]
    rows += [f"bakery,,{text},suggestion,bread_suggestion" for text in ("Please bake rye bread", "Sell smaller loaves")]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    serving()
    import_file(tmp_path / "rows.csv", create_labels=True)
    serving_module.forget()
    assert serving().predictor.predict("bakery", "", "until when are you open today?").subtype == "opening_query"


def test_mail_that_fits_nothing_goes_to_review_with_the_reason(starter, monkeypatch):
    from dataclasses import replace

    from reviewdesk.workflow import classify
    from tests.factories import make_email

    current = serving()
    artifact = current.predictor.artifact
    strict = replace(artifact.calibration, scope=replace(artifact.calibration.scope, bars={}, bar=1e6))
    monkeypatch.setattr(current.predictor, "artifact", replace(artifact, calibration=strict))
    email = make_email(subject="VPN", body="The VPN does not connect since this morning, nothing works.")
    classify(ids=[email.pk])
    email = Email.objects.get(pk=email.pk)
    item = email.review_items.get()
    assert "nothing in this department fits" in item.reason
    assert email.prediction.out_of_scope and email.prediction.scope_score < email.prediction.scope_bar


def test_a_folder_from_another_machine_is_registered(starter, second, settings, capsys):
    from django.core.management import CommandError, call_command

    shutil.move(settings.MODELS_DIR / "second", settings.MODELS_DIR / "third")
    try:
        call_command("models", "register", "third")
        call_command("models", "test", "third")
        call_command("models", "list")
        assert "third                    testing" in capsys.readouterr().out
        call_command("models", "promote", "third", reason="tried")
        call_command("models", "ledger")
        assert "third" in capsys.readouterr().out
    finally:
        shutil.rmtree(settings.MODELS_DIR / "third")
    for name, message in (("nowhere", "manifest.json is missing"), ("../x", "allowed: the name of a folder")):
        with pytest.raises(CommandError, match=message):
            call_command("models", "register", name)


# --- Pages and API -----------------------------------------------------------------------------


@pytest.fixture
def desk(client, admin):
    client.force_login(admin)
    return client


def test_the_pages_show_versions_report_and_comparison(desk, starter, second):
    from django.core.management import call_command

    page = desk.get(reverse("models")).content.decode()
    assert "starter" in page and "shipped with the desk" in page
    page = desk.get(reverse("model", args=["starter"])).content.decode()
    for part in (
        "Does confidence mean what it says",
        "a perfect model",
        "Mistakes it was sure of",
        "prompt injection",
        "by heart",
    ):
        assert part in page
    assert "Not measured yet" in desk.get(reverse("model", args=["second"])).content.decode()
    call_command("evaluate", "second", verbosity=0)
    a, b = (ModelVersion.objects.get(version=v).evaluations.get().pk for v in ("starter", "second"))
    page = desk.get(reverse("models-compare"), {"a": a, "b": b}).content.decode()
    assert "Better by" in page and "Not the same emails" not in page
    assert desk.get(reverse("models-compare"), {"a": a}).status_code == 400
    assert desk.get(reverse("model", args=["nothing"])).status_code == 404


def test_promote_roll_back_and_archive_from_the_page(desk, starter, second):
    record_evaluation(version=second, data="own test split", report=starter.metrics)
    assert "New mail is labelled by second" in desk.get(reverse("model-promote", args=["second"])).content.decode()
    assert desk.post(reverse("model-promote", args=["second"])).status_code == 400
    desk.post(reverse("model-promote", args=["second"]), {"reason": "better"})
    assert production() == "second"
    answers = [desk.post(reverse("model-rollback"), {"serving": "second"}) for _ in range(2)]
    assert production() == "starter", "the second click does not undo the first"
    assert [a.status_code for a in answers] == [302, 400]
    assert "second does not serve any more" in answers[1].content.decode()
    desk.post(reverse("model-move", args=["second", "archive"]))
    second.refresh_from_db()
    assert second.state == STATES.ARCHIVED
    assert desk.post(reverse("model-promote", args=["second"])).status_code == 400


def test_a_promotion_is_refused_without_an_evaluation_when_worse_incomplete_or_during_a_test(
    client, starter, second, admin, settings, monkeypatch
):
    def problems() -> str:
        with pytest.raises(DeskError) as refused:
            promote_by_person(version=second, by=admin, reason="it is new")
        assert refused.value.code == "promotion_refused" and production() == "starter"
        return "; ".join(refused.value.fields["force"])

    with pytest.raises(DeskError, match="Give a reason"):
        promote_by_person(version=second, by=admin, reason=" ", force=True)
    ModelVersion.objects.filter(pk=second.pk).update(metrics={})
    second.refresh_from_db()
    assert "never evaluated" in problems()
    worse = starter.metrics | {"subtype": starter.metrics["subtype"] | {"accuracy": 0.09}}
    record_evaluation(version=second, data="own test split", report=worse)
    assert "its subtype accuracy is 9.0%, that of starter 82.1%, on the same emails" in problems()
    record_evaluation(version=second, data="other.csv", report=starter.metrics | {"data_sha256": "other"})
    assert "9.0%" in problems(), "a report on the same emails goes before a newer one on others"
    record_evaluation(version=second, data="own test split", report=starter.metrics)
    labels = settings.MODELS_DIR / "second" / "labels.json"
    original = labels.read_bytes()
    known = json.loads(original)
    labels.write_text(json.dumps(known | {"departments": {"it": known["departments"]["it"]}}))
    newcomers._trained.cache_clear()
    assert "it was not trained on digital_healthcare, ecommerce" in problems()
    labels.write_bytes(original)
    newcomers._trained.cache_clear()
    running = SimpleNamespace(experiment=SimpleNamespace(name="Spring model"))
    monkeypatch.setattr("classifier.registry.promotion.active", SimpleNamespace(get=lambda: [running]))
    assert problems() == "a test is running: Spring model"
    client.force_login(admin)
    page = client.get(reverse("model-promote", args=["second"])).content.decode()
    assert "Spring model" in page and 'name="force" required' in page
    headers = {"Authorization": f"Bearer {create_token(user=admin, scopes=['models'])}"}
    url, kind = "/api/v1/models/second/promote", "application/json"
    answer = client.post(url, {"reason": "better"}, content_type=kind, headers=headers)
    assert answer.status_code == 400 and answer.json()["code"] == "promotion_refused"
    assert client.post(url, {"force": True}, content_type=kind, headers=headers).status_code == 400, "no reason"
    answer = client.post(url, {"reason": "better", "force": True}, content_type=kind, headers=headers)
    assert answer.status_code == 200 and production() == "second"


def test_promote_and_roll_back_by_the_api(client, starter, second, admin):
    record_evaluation(version=second, data="own test split", report=starter.metrics)
    headers = {"Authorization": f"Bearer {create_token(user=admin, scopes=['models'])}"}
    answer = client.post(
        "/api/v1/models/second/promote", {"reason": "better"}, content_type="application/json", headers=headers
    )
    assert answer.status_code == 200 and answer.json()["state"] == "production"
    listed = client.get("/api/v1/models", headers=headers).json()
    assert (listed["production"], listed["previous"]) == ("second", "starter")
    assert listed["ledger"][0]["reason"] == "better"
    assert (
        client.post("/api/v1/models/rollback", "{}", content_type="application/json", headers=headers).json()["version"]
        == "starter"
    )
    assert (
        client.post("/api/v1/models/none/promote", "{}", content_type="application/json", headers=headers).status_code
        == 400
    )
    assert client.get("/api/v1/models/second", headers=headers).json()["manifest"]["format"] == 2


def test_thresholds_are_chosen_for_a_wanted_accuracy(desk, starter):
    choices = {c["department"].slug: c["found"] for c in threshold_choices(starter, 0.9)}
    assert len(choices) == 9 and all(found.accuracy >= 0.9 for found in choices.values())
    page = desk.get(reverse("model", args=["starter"]), {"accuracy": "0.95"}).content.decode()
    assert "To review" in page
    desk.post(reverse("model-thresholds", args=["starter"]), {"accuracy": "0.9"})
    assert Department.objects.get(slug="it").review_threshold == choices["it"].threshold
    assert AuditEvent.objects.filter(action="set threshold").exists()
    assert desk.post(reverse("model-thresholds", args=["starter"]), {"accuracy": "7"}).status_code == 400


def test_registering_again_keeps_what_was_measured(starter):
    measured = starter.metrics | {"n": 7}
    ModelVersion.objects.filter(pk=starter.pk).update(metrics=measured)
    assert register(name="starter").metrics == measured
    ModelVersion.objects.filter(pk=starter.pk).update(manifest={})
    assert register(name="starter").metrics["n"] != 7, "another model in the folder was measured itself"


def test_the_models_page_loads_no_whole_report(desk, starter, django_assert_max_num_queries):
    with django_assert_max_num_queries(14) as seen:
        desk.get(reverse("models"))
    assert not [q for q in seen.captured_queries if '"data", "classifier_evaluation"."report"' in q["sql"]]
