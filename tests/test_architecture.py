"""Who may import whom, how long a file may be, and what a start may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ml", "abtests", "classifier", "responses", "reviewdesk")
LEAVES = (
    "reviewdesk.backends",
    "reviewdesk.trouble",
    "reviewdesk.shared_metrics",
    "reviewdesk.errors",
    "reviewdesk.people",
    "reviewdesk.audit",
    "reviewdesk.switches",
)
# Mixins without knowledge of any app: charts, cells, base classes of commands and forms.
BASES = ("reviewdesk.charts", "reviewdesk.prepared", "reviewdesk.commands", "reviewdesk.csv_cells", "reviewdesk.forms")
MAY_IMPORT = {
    "ml": (),
    "abtests": (*LEAVES, *BASES, "ml.intervals"),
    "classifier": (*LEAVES, *BASES, "ml", "abtests.services", "abtests.queries"),
    "responses": (*LEAVES, *BASES, "ml", "abtests.services", "abtests.queries", "classifier"),
}
LAYERS = ("models", "queries", "services", "tasks", "views", "api")
MAX_LINES = 400
HEAVY = (
    "torch",
    "transformers",
    "sentence_transformers",
    "elasticsearch",
    "mistralai",
    "onnxruntime",
    "sklearn",
    "pandas",
    "matplotlib",
)


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (f for f in sorted((ROOT / package).rglob("*.py")) if "migrations" not in f.parts)


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in packages)


@pytest.mark.parametrize("file", list(sources()), ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_follow_the_table(file):
    package = file.relative_to(ROOT).parts[0]
    ours = [name for name in imports(file) if name.split(".")[0] in PACKAGES]
    if package == "reviewdesk":
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        allowed = (*LEAVES, *BASES, "ml.errors") if within(module, (*LEAVES, *BASES)) else PACKAGES
    else:
        allowed = (package, *MAY_IMPORT[package])
    assert [name for name in ours if not within(name, allowed)] == []


def test_ml_knows_no_django():
    found = {
        f: n for f in sources() if "ml" in f.relative_to(ROOT).parts[:1] for n in imports(f) if n.startswith("django")
    }
    assert found == {}


@pytest.mark.parametrize("file", list(sources()), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_folder_reads_downwards(file):
    """models ← queries ← services ← tasks, views, api, within one folder."""
    own = file.stem.removeprefix("reply_")
    if own not in LAYERS:
        return
    folder = ".".join(file.relative_to(ROOT).parent.parts)
    above = LAYERS[LAYERS.index(own) + 1 :]
    wrong = [n for n in imports(file) if within(n, tuple(f"{folder}.{layer}" for layer in above))]
    assert wrong == []


@pytest.mark.parametrize("file", list(sources()), ids=lambda f: str(f.relative_to(ROOT)))
def test_files_stay_short_and_say_what_they_are_for(file):
    text = file.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    if len(text.splitlines()) > 20:
        assert ast.get_docstring(ast.parse(text)), "a module opens with a paragraph that says what it is for"


def test_only_settings_reads_the_environment():
    readers = [
        str(f.relative_to(ROOT)) for f in sources() if "os.environ" in f.read_text() or "os.getenv" in f.read_text()
    ]
    entry_points = ["reviewdesk/celery.py", "reviewdesk/wsgi.py"]  # they name the settings module
    assert sorted(readers) == sorted(["reviewdesk/settings.py", *entry_points])


def test_a_start_loads_no_heavy_library(tmp_path):
    code = (
        f"import sys, django; django.setup(); import reviewdesk.urls; print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"DJANGO_SETTINGS_MODULE": "reviewdesk.settings", "REVIEWDESK_VAR": str(tmp_path), "PATH": ""},
    )
    assert done.stdout.strip() == "[]", done.stderr
