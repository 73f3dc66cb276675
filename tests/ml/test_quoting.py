"""Quoted history and signatures are told apart, and no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.quoting import split_quoted

LINES = st.lists(
    st.sampled_from(
        ["Hello", "> quoted", ">> deeper", "", "-- ", "From: a@b.c", "Sent: today", "To: x", "On Monday, Ann wrote:"]
    )
)


@given(st.one_of(st.text(), LINES.map("\n".join)))
def test_the_parts_joined_are_the_text(text):
    parts = split_quoted(text)
    assert parts.visible + parts.signature + parts.quoted == text


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("New.\n\nOn Tue, 3 Nov 2026 at 10:14, Help <h@x.y> wrote:\n> Old.\n", "New.\n\n"),
        ("New.\n\nOn Tue, 3 Nov 2026 at 10:14, Help\n<h@x.y> wrote:\n> Old.\n", "New.\n\n"),
        ("Neu.\n\nAm 3.11.26 um 10:14 schrieb Hilfe:\n> Alt.\n", "Neu.\n\n"),
        ("New.\n-----Original Message-----\nFrom: a\nOld.", "New.\n"),
        ("New.\nFrom: a@b.c\nSent: Monday\nTo: d@e.f\nSubject: x\n\nOld.", "New.\n"),
        ("New.\n> Old.\n", "New.\n"),
        ("Body.\n-- \nAnn\nHead of Things", "Body.\n"),
        ("Body.\nSent from my iPhone", "Body.\n"),
    ],
)
def test_history_and_signatures_are_folded(text, visible):
    assert split_quoted(text).visible == visible


@pytest.mark.parametrize(
    "text",
    [
        "> You said this\nNo, I did not.\n> and that\nYes.\n",
        "On Monday your agent wrote:\nwe will refund you.\nThat never happened.",
        "From: the beginning I was unhappy.\nIt broke.",
        "> only a quote\n",
        "I like it -- really.\nBye",
    ],
)
def test_what_the_sender_wrote_stays_visible(text):
    assert split_quoted(text).visible == text


def test_a_huge_text_is_split_in_one_pass():
    text = "a line of text\n" * 200_000 + "> quoted\n"
    assert split_quoted(text).quoted == "> quoted\n"
