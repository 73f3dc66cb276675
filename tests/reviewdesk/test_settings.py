"""Every variable that the settings read is documented, and bad values are named."""

import re
import subprocess
import sys

import pytest
from django.conf import settings

VARIABLE = re.compile(r'env\.\w+\(\s*"([A-Z_]+)"')


def variables() -> set[str]:
    return set(VARIABLE.findall((settings.BASE_DIR / "reviewdesk" / "settings.py").read_text()))


@pytest.mark.parametrize("document", [".env.example", "docs/settings.md"])
def test_every_variable_is_documented(document):
    text = (settings.BASE_DIR / document).read_text()
    assert {v for v in variables() if v not in text} == set()


@pytest.mark.parametrize(
    ("name", "value"), [("REVIEWDESK_CLASSIFIER", "magic"), ("REVIEWDESK_REVIEW_THRESHOLD", "7"), ("EMAIL_PORT", "abc")]
)
def test_a_bad_value_is_named(name, value, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import reviewdesk.settings"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        env={name: value, "REVIEWDESK_VAR": str(tmp_path)},
    )
    assert done.returncode != 0
    assert name in done.stderr


def test_the_settings_page_is_made_from_the_example():
    import runpy

    made = runpy.run_path(str(settings.BASE_DIR / "docs" / "make_settings.py"))["page"]()
    assert (settings.BASE_DIR / "docs" / "settings.md").read_text() == made
