"""Passages point at the very characters of the source, fit the limit, and lose no word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.chunking import chunk, sentence_spans, windows
from ml.embedding import fast_tokenizer
from ml.encoder import MINILM

TOKENIZER = fast_tokenizer(MINILM)
LIMITS = {"max_tokens": 40, "max_characters": 200}
PIECES = st.sampled_from(
    ["# Heading\n", "## Sub\n", "\n\n", "A sentence. ", "Another one! ", "word " * 60, "x" * 300, "ẞß日本語。", "e.g. this. ", "\n"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


def tokens(text: str) -> int:
    return len(TOKENIZER.encode(text, add_special_tokens=False).ids)


@given(TEXTS)
def test_offsets_point_at_the_text_in_order(text):
    passages = chunk(text, TOKENIZER, **LIMITS)
    assert all(text[p.start : p.end] == p.text and p.text.strip() for p in passages)
    assert all(a.start < b.start and a.end < b.end for a, b in zip(passages, passages[1:], strict=False))


@given(TEXTS)
def test_no_word_outside_headings_is_lost(text):
    kept = [False] * len(text)
    for p in chunk(text, TOKENIZER, **LIMITS):
        kept[p.start : p.end] = [True] * (p.end - p.start)
    lost = "".join(c for c, k in zip(text, kept, strict=True) if not k)
    assert all(not line.strip() or line.lstrip().startswith("#") for line in lost.splitlines())


@given(TEXTS)
def test_passages_fit_and_overlap_by_a_tenth_within_a_section(text):
    passages = chunk(text, TOKENIZER, **LIMITS)
    for p in passages:
        assert len(p.text) <= LIMITS["max_characters"]
        if max(map(len, p.text.split())) < 40:  # a word cut in two may have more pieces than before
            assert tokens(p.text) <= LIMITS["max_tokens"] + 1
    for a, b in zip(passages, passages[1:], strict=False):
        if b.start < a.end:
            assert a.heading == b.heading
            assert tokens(text[b.start : a.end]) <= 0.1 * LIMITS["max_tokens"] + 1


@given(TEXTS)
def test_windows_cover_a_passage(text):
    spans = windows(text, TOKENIZER, 12)
    covered = "".join(text[a:b] for a, b in spans)
    assert "".join(covered.split()) == "".join(text.split())


def test_passages_keep_the_path_of_their_headings_and_fit():
    text = (
        "# Refunds\n\nOne. Two.\n\n## Late\nWithin ten days.\n\n"
        + "A long sentence of many words. " * 60
        + "\n\n# Hours\n\nNine to five."
    )
    passages = chunk(text, TOKENIZER, max_tokens=100)
    assert [p.heading for p in passages[:2]] == ["Refunds", "Refunds › Late"]
    assert passages[-1].heading == "Hours" and passages[-1].text == "Nine to five."
    assert max(tokens(p.heading) + tokens(p.text) for p in passages) <= 100
    assert passages[2].start < passages[1].end, "a section that is cut overlaps"


def test_a_text_is_tokenised_once():
    class Counting:
        characters = 0

        def encode(self, text, **options):
            self.characters += len(text)
            return TOKENIZER.encode(text, **options)

    text = "# Prices\n\n" + "\n\n".join(f"Paragraph {i} says that item {i} costs {i} euros. " * 6 for i in range(200))
    counting = Counting()
    assert len(chunk(text, counting)) > 20
    assert counting.characters == len(text) + len("Prices")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call Mr. Smith, e.g. today. Then wait.", ["Call Mr. Smith, e.g. today.", "Then wait."]),
        ("Open until 6 p.m. Then call. At 6 p.m. sharp.", ["Open until 6 p.m.", "Then call.", "At 6 p.m. sharp."]),
        ("Es kostet 3 €. z.B. heute. Gut", ["Es kostet 3 €.", "z.B. heute.", "Gut"]),
        ("返品できます。送料は無料です。", ["返品できます。", "送料は無料です。"]),
    ],
)
def test_sentences(text, expected):
    assert [text[a:b] for a, b in sentence_spans(text)] == expected
