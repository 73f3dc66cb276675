"""What a chosen back end needs and is not set: a warning of check, an error of the worker and of /readyz."""

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks

from reviewdesk.checks import missing_settings

CASES = [
    ({"RETRIEVAL": "elasticsearch", "ELASTICSEARCH_URL": ""}, "set ELASTICSEARCH_URL"),
    ({"DRAFTING": "mistral", "MISTRAL_API_KEY": " "}, "set MISTRAL_API_KEY"),
]


@pytest.mark.parametrize(("fields", "message"), CASES)
def test_what_is_missing_is_said(client, starter, settings, fields, message):
    assert missing_settings() == []
    for name, value in fields.items():
        setattr(settings, name, value)
    assert any(message in w.msg for w in run_checks(tags=["backends"]) if w.id == "reviewdesk.W002")
    answer = client.get("/readyz")
    assert answer.status_code == 503 and message in answer.json()["reason"]


def test_a_worker_does_not_start_half(settings, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "reviewdesk.celery", "worker", "--pool", "solo"],
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60,
        env={**os.environ, "REVIEWDESK_DRAFTING": "mistral", "MISTRAL_API_KEY": "", "REVIEWDESK_VAR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode != 0 and "set MISTRAL_API_KEY" in done.stderr + done.stdout
