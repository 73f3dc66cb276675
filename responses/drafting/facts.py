"""Numbers, names and links of a sentence, in a form in which two ways to write one are equal.

>>> numbers_of("3 days, 1,200 euros, at 6 p.m.") == numbers_of("three days, 1200 euros, at 18:00")
True
"""

import re
from collections.abc import Iterable

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
WORDS = {word: str(i) for i, word in enumerate(_UNITS)} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "thousand": "1000", "dozen": "12", "twice": "2", "once": "1",
    "zwei": "2", "drei": "3", "vier": "4", "fünf": "5", "sechs": "6", "sieben": "7", "acht": "8", "neun": "9", "zehn": "10",
    "elf": "11", "zwölf": "12", "vierzehn": "14", "zwanzig": "20", "dreißig": "30", "viertelstunde": "15",
    "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "siete": "7", "ocho": "8", "nueve": "9",
    "diez": "10", "once horas": "11", "doce": "12", "quince": "15", "veinte": "20", "treinta": "30",
    "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "sept": "7", "huit": "8", "neuf": "9", "dix": "10",
}  # fmt: skip
PHRASES = {
    "half an hour": "30 minutes",
    "half a day": "0.5 day",
    "quarter of an hour": "15 minutes",
    "midnight": "24:00",
}
SMALL = {"0", "1"}  # as words they are articles more often than amounts
_TIME = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))?\s*([ap])\.?\s?m\b\.?|\b(\d{1,2}):(\d{2})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,3}(?:[ ,.'\u202f\u00a0]\d{3})+(?!\d)(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?")
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|[\w.+-]+@[\w-]+\.[\w.-]*\w|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|de|es|fr|uk|eu|info|example)\b(?:/[^\s)]*)?", re.IGNORECASE)  # fmt: skip
_NAME = re.compile(r"\b[A-ZÀ-ÖØ-Þ][\w’'&-]*\w\b")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


_MONTHS = """january|february|march|april|may|june|july|august|september|october|november|december
januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember
enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"""
MONTHS = {name: i for row in _MONTHS.split() for i, name in enumerate(row.split("|"), 1)}
WEEKDAYS = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "lunes",
    "martes",
    "miércoles",
    "jueves",
    "viernes",
    "sábado",
    "domingo",
]
_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th|\.)?(?: of| de)? ({_MONTH})\b|\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b"
)
_WEEKDAY = re.compile(rf"\b({'|'.join(WEEKDAYS)})s?\b")


def dates_of(text: str) -> set[str]:
    """Days of a month as `26 december`, and weekdays, in the language they are written in."""
    text = text.lower()
    days = {f"{m[1] or m[4]} {m[2] or m[3]}" for m in _DATE.finditer(text)}
    return days | set(_WEEKDAY.findall(text))


def numbers_of(text: str) -> set[str]:
    """Numbers as plain digits; times of day as minutes past midnight, `t1080`."""
    text, found = text.lower(), set()
    for phrase, digits in PHRASES.items():
        text = text.replace(phrase, digits)

    def note_time(match: re.Match) -> str:
        hour, minute = int(match[1] or match[4]), int(match[2] or match[5] or 0)
        hour = hour % 12 + 12 if match[3] == "p" else hour % 12 if match[3] == "a" else hour
        found.add(f"t{60 * hour + minute}")
        return " "

    text = _TIME.sub(note_time, text)
    found |= {_plain(number) for number in _NUMBER.findall(text)}
    return found | {WORDS[w] for w in re.findall(r"[a-zà-ÿß]+", text) if w in WORDS and WORDS[w] not in SMALL}


def _plain(number: str) -> str:
    """`1,200.50` → `1200.5`; `9.95` stays."""
    number = re.sub(r"[ '\u202f\u00a0]", "", number)
    number = (
        re.sub(r"[.,](?=\d{3}(?!\d))", "", number)
        if re.fullmatch(r"\d{1,3}([.,]\d{3})+([.,]\d{1,2})?", number)
        else number
    )
    whole, _, rest = number.replace(",", ".").partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def links_of(text: str) -> set[str]:
    """Addresses of pages and mailboxes, without scheme and final stop."""
    return {re.sub(r"^(https?://)?(www\.)?", "", link.lower()).rstrip("/.,;") for link in _LINK.findall(text)}


def names_of(text: str) -> set[str]:
    """Words with a capital that do not begin the text, lower-cased; none where nouns have capitals anyway (German)."""
    body = _LINK.sub(" ", text)
    inner = [
        m
        for m in _NAME.finditer(body)
        if body[: m.start()].strip(" \"'“”‘’(") and body[: m.start()].rstrip()[-1:] not in ".!?:"
    ]
    words = max(len(_TOKEN.findall(body)), 1)
    if len(inner) / words > 0.3 and any(
        w in f" {body.lower()} " for w in (" der ", " die ", " das ", " und ", " ist ")
    ):
        return set()
    return {m.group().lower().removesuffix("'s").removesuffix("’s") for m in inner}


def words_of(text: str) -> set[str]:
    return {w.lower().removesuffix("'s").removesuffix("’s") for w in _TOKEN.findall(text)}


def unknown_names(text: str, known: Iterable[str]) -> list[str]:
    """Names of the text of which no part stands in the known words."""
    words = set(known)
    return sorted(
        name for name in names_of(text)
        if name not in words and not any(part in words for part in re.split(r"[-’'&]", name)) and name not in _COMMON
    )  # fmt: skip


_COMMON = frozenset(
    [
        "i",
        "i'm",
        "i'll",
        "we",
        "our",
        "you",
        "your",
        "mr",
        "mrs",
        "ms",
        "dr",
        "the",
        "a",
        "an",
        "please",
        "dear",
        "thank",
        "thanks",
        "sorry",
        "hello",
        "hi",
        "english",
        "german",
        "spanish",
        "french",
        "internet",
        "app",
        "pdf",
        "id",
        "ok",
        "faq",
        "sms",
        "wifi",
        "wi-fi",
        "vat",
        "eur",
        "usd",
        "gbp",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mondays",
        "tuesdays",
        "wednesdays",
        "thursdays",
        "fridays",
        "saturdays",
        "sundays",
        "sir",
        "madam",
        "if",
        "when",
        "as",
        "to",
        "for",
        "in",
        "on",
        "at",
        "and",
        "or",
        "but",
    ]
)
