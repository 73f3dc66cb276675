"""Private data out of a text before it leaves the house, and back into the answer.

>>> masked = mask("Card 4111 1111 1111 1111, call +49 30 1234567")
>>> masked.text
'Card [CARD-1], call [PHONE-1]'
>>> masked.restore("We will call [PHONE-1].")
'We will call +49 30 1234567.'
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_GAP = r"[ .\u00a0\u202f-]?"
_CARD = re.compile(rf"(?<![\w-])\d(?:{_GAP}\d){{12,}}")
_IBAN = re.compile(rf"(?<!\w)[A-Z]{{2}}\d{{2}}(?:{_GAP}[A-Z0-9]){{11,}}")
_IDS = re.compile(
    r"(?<![\w-])(?:\d{3}-\d{2}-\d{4}"  # United States, social security
    r"|[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]"  # United Kingdom, national insurance
    r"|\d{8}-?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]"  # Spain, DNI and NIE
    r"|[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3}(?: ?\d{2})?"  # France, sécurité sociale
    r"|\d{2} ?\d{6} ?[A-Z] ?\d{3}"  # Germany, pension insurance
    r"|[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])(?![\w-])"  # Italy, codice fiscale
)
_PHONE = re.compile(r"(?<![\w/.-])(?:\+|00)\d[\d ()/.-]{7,18}\d(?![\w-])|(?<![\w/.-])\(?0\d{1,5}\)?[ /.-]?\d[\d /.-]{4,12}\d(?![\w-])|(?<![\w/.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])")  # fmt: skip


SHORTEST, LONGEST = 13, 60  # characters of a card number or an IBAN, gaps included


@dataclass(frozen=True)
class Masked:
    """A text with placeholders, and what they stand for."""

    text: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind were masked."""
        return dict(Counter(name.strip("[]").partition("-")[0].lower() for name in self.values))

    def restore(self, text: str) -> str:
        return re.sub(r"\[(?:CARD|IBAN|ID|PHONE)-\d+\]", lambda m: self.values.get(m.group(), m.group()), text)


def mask(text: str) -> Masked:
    """Card numbers, IBANs, national ids and phone numbers as placeholders; the same value has the same one."""
    names: dict[str, str] = {}
    for kind, pattern, holds in _KINDS:
        text = pattern.sub(_replacer(kind, names, holds), text)
    return Masked(text, {name: value for value, name in names.items()})


def _replacer(kind: str, names: dict[str, str], holds: Callable[[str], bool]) -> Callable[[re.Match], str]:
    """Masks the longest beginning of a match that holds; what follows it, such as an expiry date, may hold again."""

    def placeholder(value: str) -> str:
        taken = sum(name.startswith(f"[{kind}-") for name in names.values())
        return names.setdefault(value, f"[{kind}-{taken + 1}]")

    def replace(match: re.Match) -> str:
        whole = match.group()
        if holds(whole):
            return placeholder(whole)
        for end in range(min(len(whole), LONGEST), SHORTEST - 1, -1) if kind in ("CARD", "IBAN") else ():
            if whole[end - 1].isalnum() and holds(whole[:end]):
                return placeholder(whole[:end]) + whole[end:]
        return whole

    return replace


def _luhn(value: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    digits = [int(c) for c in value if c.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _iban(value: str) -> bool:
    """Source: ISO 13616, check by ISO 7064 MOD 97-10."""
    plain = re.sub(r"\W", "", value)
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _phone(value: str) -> bool:
    """Enough digits, and not a date such as 01.02.2026 or 01/02/2026."""
    return 8 <= sum(c.isdigit() for c in value) <= 15 and not re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", value)


_KINDS = (("IBAN", _IBAN, _iban), ("CARD", _CARD, _luhn), ("ID", _IDS, lambda value: True), ("PHONE", _PHONE, _phone))
