"""Decodes bytes whose declared charset may be missing, unknown or a lie."""

import codecs
import re

from charset_normalizer import from_bytes

# Mailers say us-ascii or latin-1 and mean Windows; browsers read them so too.
_USUAL_MEANING = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "ks_c_5601-1987": "cp949"}
_DETECT_BYTES = 20_000
_DENSE, _ENOUGH = 0.15, 32  # share of 8-bit bytes, and length in bytes, from which a guess is worth making
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def decode(data: bytes, declared: str | None) -> tuple[str, str]:
    """Text of `data` and a note of what was wrong, empty when nothing was.

    Tries the declared charset, UTF-8, a guess from the bytes, and at last replaces what
    cannot be decoded. Control characters (but tab and line ends) are dropped.
    """
    named = (declared or "").strip().strip("\"'").lower()
    text = _strict(data, named)
    if text is not None:
        return printable(text), ""
    text = _strict(data, "utf-8")
    if text is not None:
        note = "" if not named else f"charset said {named!r}, read as utf-8"
        return printable(text), note
    encoding = _guess(data[:_DETECT_BYTES])
    text = data.decode(encoding, errors="replace")
    return printable(text), f"charset said {named or 'nothing'!r}, read as {encoding}"


def _strict(data: bytes, name: str) -> str | None:
    try:
        canonical = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError, UnicodeError):
        return None
    if not canonical:
        return None
    for candidate in (_USUAL_MEANING.get(canonical, canonical), canonical):
        try:
            text = data.decode(candidate)
            # A text in a declared 8-bit charset that is also valid multi-byte UTF-8 is UTF-8.
            if candidate.startswith(("iso8859", "cp12")) and _is_really_utf8(data):
                return None
            return text
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return None


def _guess(data: bytes) -> str:
    """Western mail has few 8-bit bytes, and browsers call it cp1252; only denser text is worth detecting."""
    if len(data) < _ENOUGH or sum(byte > 0x7F for byte in data) < len(data) * _DENSE:
        return "cp1252"
    guess = from_bytes(data).best()
    return guess.encoding if guess else "cp1252"


def _is_really_utf8(data: bytes) -> bool:
    if data.isascii():
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def printable(text: str) -> str:
    """Text that a database and a page can hold: no control characters, no lone surrogates."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
