"""Near-copies share a fingerprint as often as their word pairs overlap."""

from ml.fingerprint import fingerprint

TEXT = "Hello, my order number 1234 has not arrived although it was promised for Monday, please tell me where it is now"


def test_an_order_number_does_not_tell_copies_apart():
    assert fingerprint(TEXT) == fingerprint(TEXT.replace("1234", "99871")) != 0


def test_it_is_equal_about_as_often_as_the_texts_overlap():
    words = TEXT.split()
    changed = [" ".join([*words[:i], "altered", *words[i + 1 :]]) for i in range(len(words))]
    same = sum(fingerprint(t) == fingerprint(TEXT) for t in changed)
    assert len(words) * 0.6 < same < len(words), "one word of twenty changes two pairs of twenty"


def test_other_texts_and_no_text():
    assert fingerprint("Please cancel my subscription at once") != fingerprint(TEXT)
    assert fingerprint("") == fingerprint("1234 !!") == 0
    assert 0 < fingerprint("hi") < 2**63
