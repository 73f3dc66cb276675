"""Labels out, and back into training as they are."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from classifier.models import ModelVersion
from classifier.retraining.export import COLUMNS, stream
from classifier.review.services import correct
from ml.data import read_examples
from tests.factories import make_classified, make_email

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled(agent):
    for i in range(12):
        subtype = ("access_query", "bug_complaint", "outage_complaint")[i % 3]
        email = make_classified(subject=f'Row {i}, "quoted"', body=f"line one {i}\nline two, {subtype}")
        correct(email=email, user=agent, type="", subtype=subtype)
    make_email(body="no label")


def test_the_columns_and_one_row_an_email(labelled):
    rows = list(csv.DictReader(io.StringIO("".join(stream("csv")))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 12
    assert rows[0]["subject"] == 'Row 0, "quoted"' and rows[0]["body"].startswith("line one 0\nline two")
    assert (rows[0]["source"], rows[0]["predicted_subtype"], rows[0]["model_version"]) == (
        "agent",
        "outage_complaint",
        "test-model",
    )
    assert {r["snapshot_id"] for r in rows} == {rows[0]["snapshot_id"]}


def test_jsonl_says_the_same(labelled):
    rows = [json.loads(line) for line in stream("jsonl")]
    assert len(rows) == 12 and tuple(rows[0]) == COLUMNS


def test_an_export_trains_a_model_as_it_is(labelled, tmp_path, settings):
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    call_command("export_labels", str(tmp_path / "labels.csv"))
    assert len(read_examples(tmp_path / "labels.csv")) == 12
    call_command("train", data=tmp_path / "labels.csv", name="from-export", frozen=True)
    version = ModelVersion.objects.get(version="from-export")
    assert version.state == "candidate" and version.manifest["training_size"] == 12
    call_command("evaluate", "from-export", data=tmp_path / "labels.csv")
    with pytest.raises(CommandError, match="choose another name"):
        call_command("train", data=tmp_path / "labels.csv", name="from-export", frozen=True)


def test_the_number_of_queries_does_not_grow_with_the_rows(labelled, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        list(stream("jsonl"))
