"""Passages point at the very characters of the source."""

from hypothesis import given
from hypothesis import strategies as st

from ml.chunking import chunk, sentence_spans

PIECES = st.sampled_from(
    ["# Heading\n", "\n\n", "A sentence. ", "Another one! ", "word " * 40, "x" * 300, "e.g. this. ", "\n"]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


@given(TEXTS)
def test_offsets_point_at_the_text_in_order(text):
    passages = chunk(text, 200)
    assert all(text[p.start : p.end] == p.text and p.text.strip() for p in passages)
    assert all(a.end <= b.start for a, b in zip(passages, passages[1:], strict=False))


@given(TEXTS)
def test_no_word_outside_headings_is_lost(text):
    passages = chunk(text, 200)
    kept = [False] * len(text)
    for p in passages:
        kept[p.start : p.end] = [True] * (p.end - p.start)
    lost = "".join(c for c, k in zip(text, kept, strict=True) if not k)
    assert all(not line.strip() or line.lstrip().startswith("#") for line in lost.splitlines())


def test_passages_keep_their_heading_and_fit():
    text = "# Refunds\n\nOne. Two.\n\n" + "A long sentence of many words. " * 60 + "\n\n# Hours\n\nNine to five."
    passages = chunk(text, 300)
    assert [p.heading for p in passages][0] == "Refunds"
    assert passages[-1].heading == "Hours" and passages[-1].text == "Nine to five."
    assert max(len(p.text) for p in passages) <= 300


def test_abbreviations_do_not_end_a_sentence():
    text = "Call Mr. Smith, e.g. today. Then wait."
    assert [text[a:b] for a, b in sentence_spans(text)] == ["Call Mr. Smith, e.g. today.", "Then wait."]
