"""Unreadable mail is told from short, foreign and angry mail."""

import pytest

from classifier.intake.unreadable import unreadable_kind
from ml.data import load_corpus


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("?!?! ... ---", "symbols"),
        ("12345 67", "symbols"),
        ("😡😡👎", "emoji"),
        ("sdkjfh skjdfhks jdfhwe qpwoeir zmxncb", "gibberish"),
        ("asdfasdf asdf qwerqwer zxcvzxcv", "gibberish"),
        ("a" * 5_000, "gibberish"),
        ("lol " * 400, "gibberish"),
        ("help", ""),
        ("Where is my parcel 1234?\n" + "=" * 70, ""),
        ("WHERE IS MY PARCEL", ""),
        ("pls rmv me frm list thx", ""),
        ("Wo bleibt meine Bestellung?", ""),
        ("¿Dónde está mi pedido?", ""),
        ("我的包裹在哪里？", ""),
        ("Где моя посылка?", ""),
        ("متى يصل طلبي؟", ""),
        ("VPN KB-4417 err 0x80070005", ""),
        ("Nein!", ""),
    ],
)
def test_kinds(text, kind):
    assert unreadable_kind("", text) == kind


def test_the_corpus_is_readable():
    """Real mail must not be taken for gibberish: at most 1 in 200, and those are the odd ones."""
    found = [e for e in load_corpus("test") if unreadable_kind(e.subject, e.body)]
    assert len(found) <= 2, [(e.subject, e.body) for e in found]
