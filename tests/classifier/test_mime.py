"""Real MIME: parts, charsets that lie, automatic mail, attachments, rubbish."""

from email.message import EmailMessage

import pytest
from django.urls import reverse

from classifier.intake.html import clean_html, html_to_text, with_images
from classifier.intake.mime import parse_message
from tests.factories import make_email


def message(body: bytes, *headers: str) -> bytes:
    base = ["From: Ann <ann@example.com>", "Subject: Hi", "Date: Tue, 03 Nov 2026 10:00:00 +0100", "Message-ID: <1@x>"]
    return "\r\n".join([*base, *headers]).encode("latin-1") + b"\r\n\r\n" + body


def test_multipart_keeps_plain_html_and_attachments():
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "Ann Ä <ann@example.com>", "Grüße", "<1@x>"
    mail.set_content("plain text")
    mail.add_alternative("<p>html <b>text</b></p>", subtype="html")
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="../../etc/rechnung.pdf")
    parsed = parse_message(mail.as_bytes())
    assert parsed.body.strip() == "plain text"
    assert "<b>text</b>" in parsed.html
    assert parsed.subject == "Grüße" and parsed.sender_name == "Ann Ä"
    (file,) = parsed.attachments
    assert (file.filename, file.content_type, file.content) == ("rechnung.pdf", "application/pdf", b"%PDF-1")


def test_html_only_mail_gets_a_text():
    parsed = parse_message(
        message(b"<h1>Offer</h1><p>Buy <a href='http://x'>now</a></p><script>x()</script>", "Content-Type: text/html")
    )
    assert "Offer" in parsed.body and "Buy now" in parsed.body and "x()" not in parsed.body


@pytest.mark.parametrize(
    ("declared", "body", "text", "noted"),
    [
        ("us-ascii", "café".encode(), "café", True),
        ("iso-8859-1", "café “quoted”".encode("cp1252"), "café “quoted”", False),
        ("iso-8859-1", "naïve über".encode(), "naïve über", True),
        ("utf-8", "café".encode("latin-1"), "café", True),
        ("x-unknown", b"plain", "plain", True),
        ("utf-8", "Привет".encode(), "Привет", False),
    ],
)
def test_lying_charsets_are_read_and_noted(declared, body, text, noted):
    parsed = parse_message(
        message(body, f"Content-Type: text/plain; charset={declared}", "Content-Transfer-Encoding: 8bit")
    )
    assert parsed.body == text
    assert any("charset said" in d for d in parsed.defects) == noted


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (["Auto-Submitted: auto-replied"], "auto_reply"),
        (["Auto-Submitted: no"], ""),
        (["List-Id: <news.example.com>"], "list"),
        (["Precedence: bulk"], "list"),
        (["Content-Type: multipart/report; report-type=delivery-status; boundary=b"], "bounce"),
        ([], ""),
    ],
)
def test_automatic_mail_is_recognised(headers, kind):
    assert parse_message(message(b"text", *headers)).automatic == kind


def test_out_of_office_and_mailer_daemon_by_their_looks():
    assert (
        parse_message(message(b"x").replace(b"Subject: Hi", b"Subject: Out of office: back Monday")).automatic
        == "auto_reply"
    )
    bounce = message(b"x").replace(b"Subject: Hi", b"Subject: Undelivered Mail Returned to Sender")
    assert parse_message(bounce.replace(b"ann@example.com", b"MAILER-DAEMON@example.com")).automatic == "bounce"


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff" * 500, b"no headers here\n\nat all", b"Subject: =?utf-8?b?broken\n\n\xff"]
)
def test_rubbish_is_kept_with_what_is_wrong(raw):
    parsed = parse_message(raw)
    assert parsed.raw == raw
    assert parsed.broken or parsed.defects
    assert "\x00" not in parsed.body


def test_html_is_cleaned_of_all_that_acts():
    dirty = "<p onclick=x() style='color:red;position:fixed'>a<img src='http://t/x.gif'><img src='data:image/png;base64,AA'><a href='javascript:x()'>b</a></p><script>x</script><form action=/x><input></form>"
    clean = clean_html(dirty)
    for bad in ("onclick", "http://t", "javascript", "<script", "<form", "<input", "position"):
        assert bad not in clean
    assert "data:image/png" in clean and "color" in clean
    assert html_to_text("<table><tr><td>a</td><td>b</td></tr></table>").split() == ["a", "b"]


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("=?utf-8?Q?victim=40corp.com=2C?= <attacker@evil.example>", "victim@corp.com,", "attacker@evil.example"),
        ("=?utf-8?Q?M=C3=BCller=2C_Jan?= <jan@x.example>", "Müller, Jan", "jan@x.example"),
        ('"Smith, Ann" <ann@x.example>', "Smith, Ann", "ann@x.example"),
        ("Jörg <jorg@x.example>", "Jörg", "jorg@x.example"),
    ],
)
def test_an_encoded_name_never_passes_for_the_address(sender, name, address):
    parsed = parse_message(f"From: {sender}\nSubject: s\n\nx\n".encode("cp1252"))
    assert (parsed.sender_name, parsed.sender_address) == (name, address)


def test_html_with_a_plain_footer_and_a_forwarded_mail_keeps_the_senders_words():
    inner = "Content-Type: message/rfc822\n\nFrom: c@d.example\nSubject: inner\n\ninner words\n"
    raw = (
        "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\nContent-Type: text/html\n\n<p>my own words</p>\n"
        f"--b\nContent-Type: text/plain\n\nlist footer\n--b\n{inner}--b--\n"
    )
    parsed = parse_message(raw.encode())
    assert parsed.body.split() == ["my", "own", "words", "list", "footer"]
    assert [a.filename for a in parsed.attachments] == ["forwarded.eml"]


@pytest.mark.parametrize("subject", ["Out of office printer broken", "Automatic reply is not working in Outlook"])
def test_a_question_about_automatic_replies_is_none(subject):
    assert parse_message(message(b"x").replace(b"Subject: Hi", f"Subject: {subject}".encode())).automatic == ""


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def with_picture(content: bytes, kind: str = "png") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@example.com", "Look"
    message.set_content("see below")
    message.add_alternative('<p>Here: <img src="cid:pic%40x"> <img src="http://spy.example/p.gif"></p>', subtype="html")
    message.get_payload()[1].add_related(content, "image", kind, cid="<pic@x>", filename="pic.png")
    return message.as_bytes()


def test_an_inline_picture_is_shown_and_a_remote_one_is_not():
    parsed = parse_message(with_picture(PNG))
    (part,) = parsed.attachments
    assert part.content_id == "pic@x"
    clean = clean_html(parsed.html)
    html = with_images(clean, {part.content_id: part.content})
    assert 'src="data:image/png;base64,iVBORw0K' in html and "spy.example" not in html
    assert "cid:" not in html and "cid:" not in with_images(clean, {})


def test_what_only_says_it_is_a_picture_is_not_shown():
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"
    assert "data:" not in with_images(clean_html('<img src="cid:pic@x">'), {"pic@x": svg})
    assert "cid:" not in clean_html('<a href="cid:pic@x">x</a> <a href="DaTa:text/html,x">y</a>')


def test_the_frame_shows_the_pictures_of_its_email(client, agent):
    client.force_login(agent)
    parsed = parse_message(with_picture(PNG))
    email = make_email(html=parsed.html, attachments=parsed.attachments)
    page = client.get(reverse("email-html", args=[email.pk]))
    assert b"data:image/png;base64," in page.content and "img-src data:" in page["Content-Security-Policy"]
