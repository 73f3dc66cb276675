"""HTML mail that would make a parser work without end is bounded; what people send passes as it is."""

from html.parser import HTMLParser

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from classifier.intake import views
from classifier.intake.html import MAX_CLEAN, clean_html, html_to_text
from classifier.intake.html_bounds import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_FORMATTING, bounded
from tests.factories import make_email

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
SELF_CLOSING = {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup"}


class Measure(HTMLParser):
    """Depth, elements and attributes, counted by another parser."""

    def __init__(self, html: str):
        super().__init__()
        self.depth = self.deepest = self.elements = self.attributes = 0
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements += 1
        self.attributes = max(self.attributes, len(attrs))
        if tag not in VOID | SELF_CLOSING:
            self.open.append(tag)
            self.deepest = max(self.deepest, len(self.open))

    def handle_endtag(self, tag):
        if tag not in VOID | SELF_CLOSING:
            assert self.open.pop() == tag, "closed in order"

    def handle_data(self, data):
        self.text.append(data)


ATTACKS = {
    "nested": "<div>" * 60_000 + "words",
    "nested and closed": "<div>" * 3_000 + "words" + "</div>" * 3_000,
    "open formatting": "".join(f"<p><b class={n}>" for n in range(2_000)) + "<p>words" * 5_000,
    "attributes": "<a " + " ".join(f"x{n}=1" for n in range(100_000)) + ">words</a>",
    "elements": "<p>words</p>" * 80_000,
    "quotes": "<a \"'" * 50_000 + "words",
    "angles": "<" * 50_000 + "words",
    "comments": "words" + "<!--" * 50_000,
    "scripts": "words" + "<script><div>" * 20_000,
    "raw text": "<textarea>" * 1_000 + "words" + "<plaintext>" * 10,
    "tables": "<table><tr><td>" * 5_000 + "words",
}


@pytest.mark.parametrize("html", ATTACKS.values(), ids=ATTACKS)
def test_nothing_costs_more_than_its_length(html):
    found = Measure(bounded(html))
    assert found.deepest <= MAX_DEPTH and found.elements <= MAX_ELEMENTS and found.attributes <= MAX_ATTRIBUTES
    assert not found.open and "words" in "".join(found.text)
    assert "words" in html_to_text(html) and len(clean_html(html)) <= MAX_CLEAN


def test_formatting_left_open_is_not_multiplied():
    html = "".join(f"<font size={n}>" for n in range(500)) + "<p>x" * 1_000
    assert bounded(html).count("<font") == MAX_FORMATTING


MAIL = [
    '<div style="color:red"><p>One<p>Two <b>bold</b><br>three</div>',
    "<ul><li>a<li>b</ul><table><tr><td>1<td>2<tr><td>3</table>",
    '<a href="https://x.example/?a=1&amp;b=2">link</a><img src="cid:a@b" alt="1 > 2">',
    "<blockquote><div>On Monday Ann wrote:<blockquote>5 &lt; 6</blockquote></div></blockquote>",
]


@pytest.mark.parametrize("html", MAIL)
def test_what_people_send_passes_as_it_is(html):
    assert bounded(html) == html


def test_a_quote_that_is_never_closed_hides_no_text():
    assert html_to_text('before <hr width="80%> <img src="x.gif" border=0"> after').split() == ["before", "after"]


@given(st.text(alphabet="<>/abdiv pscript\"'=!-x&;\n", max_size=400))
def test_any_text_comes_out_nested_in_order(text):
    assert not Measure(bounded(text)).open


def test_a_page_does_not_clean_again(client, agent, monkeypatch):
    """Cleaned once, when it comes in: viewing is cheap whatever was sent."""
    email = make_email(html="<p onclick=x()>Hello <b>there</b></p><script>x</script>")
    assert email.clean_html == "<p>Hello <b>there</b></p>"
    assert not hasattr(views, "clean_html")
    monkeypatch.setattr("nh3.clean", None)
    client.force_login(agent)
    assert b"<p>Hello <b>there</b></p>" in client.get(reverse("email-html", args=[email.pk])).content
