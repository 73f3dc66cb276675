"""An empty desk: tables, a first admin, departments from a file; run again it changes nothing."""

import io

import pytest
from django.core.management import CommandError, call_command

from classifier.models import Department, Email, Subtype
from reviewdesk.people.models import User


def run(monkeypatch, *, terminal: bool = False, answers: tuple[str, ...] = (), **options) -> str:
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
    lines = iter(answers)
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    monkeypatch.setattr("reviewdesk.management.commands.create_desk.getpass", lambda prompt: next(lines))
    out = io.StringIO()
    call_command("create_desk", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_without_a_terminal_the_first_admin_gets_a_link(db, monkeypatch, client):
    said = run(monkeypatch, admin="eva")
    link = said.split("/welcome/")[1].split()[0]
    client.get(f"/welcome/{link}")  # puts the token into the session
    key = link.split("/")[0]
    client.post(f"/welcome/{key}/set-password/", {"new_password1": "a long one", "new_password2": "a long one"})
    user = User.objects.get()
    assert user.check_password("a long one") and "admin" in user.roles
    assert "1 admin(s) are there: eva" in run(monkeypatch, admin="other") and User.objects.count() == 1
    assert not Department.objects.exists() and not Email.objects.exists()


def test_on_a_terminal_it_asks_until_the_password_is_good(db, monkeypatch):
    said = run(monkeypatch, terminal=True, answers=("", "short", "a long one", "another", "a long one", "a long one"))
    assert "too short" in said and "differ" in said
    assert User.objects.get(username="admin").check_password("a long one")


def test_departments_come_from_a_file_or_not_at_all(db, monkeypatch, tmp_path):
    file = tmp_path / "d.csv"
    file.write_text("department,type,subtype,guideline\nlaw,query,deadline_query,Asks for a date.\nlaw,,,\nhr,,,\n")
    assert "2 departments with 1 subtypes" in run(monkeypatch, admin="a", departments=file)
    assert Subtype.objects.get().guideline == "Asks for a date."
    file.write_text("department,type,subtype\nnew,query,x_query\nlaw,nonsense,y\n")
    with pytest.raises(CommandError, match="line 3: type is 'nonsense'; allowed: spam, query"):
        run(monkeypatch, departments=file)
    assert not Department.objects.filter(slug="new").exists(), "all rows or none"
    with pytest.raises(CommandError, match="cannot be read"):
        run(monkeypatch, departments=tmp_path / "none.csv")
