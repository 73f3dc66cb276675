"""Text in an email that talks to a machine and not to people: shown to the agent, never obeyed."""

import re

_PATTERNS = re.compile(
    r"(?:ignore|disregard|forget|override)\s{1,9}(?:all\s{1,9}|any\s{1,9}|the\s{1,9}|your\s{1,9}|my\s{1,9})*(?:previous|prior|above|earlier|preceding|existing|system)\s{1,9}"
    r"(?:instructions?|prompts?|rules|messages?|context)"
    r"|(?:reveal|print|show|repeat|output)\s{1,9}(?:me\s{1,9})?(?:your|the)\s{1,9}(?:system\s{1,9}|hidden\s{1,9}|initial\s{1,9})?(?:prompt|instructions)"
    r"|you\s{1,9}are\s{1,9}(?:now|no\s{1,9}longer)\s{1,9}(?:an?\s{1,9})?(?:\w+\s{1,9}){0,3}(?:ai|assistant|model|bot|chatgpt|developer\s{1,9}mode|dan)\b"
    r"|(?:^|\n)[ \t]{0,9}(?:system|assistant|developer)[ \t]{0,9}:\s{0,9}\S"
    r"|<\|?(?:im_start|im_end|system|endoftext|assistant)\|?>|\[/?INST\]|</?(?:system|instructions?)>"
    r"|(?:respond|reply|answer)\s{1,9}only\s{1,9}with\b|(?:act|pretend|behave)\s{1,9}as\s{1,9}(?:if\s{1,9}you\s{1,9}(?:were|are)\s{1,9})?(?:an?\s{1,9})?(?:\w+\s{1,9}){0,2}(?:ai|chatbot|language\s{1,9}model|administrator|root)\b"
    r"|new\s{1,9}(?:system\s{1,9})?instructions?[ \t]{0,9}:|jailbreak|prompt\s{1,9}injection|do\s{1,9}anything\s{1,9}now"
    r"|ignorier\w*\s{1,9}(?:alle\s{1,9}|die\s{1,9})*(?:vorherigen|bisherigen|obigen)\s{1,9}(?:anweisungen|regeln)"
    r"|ignor[ae]\w*\s{1,9}(?:todas\s{1,9})?(?:las\s{1,9})?instrucciones\s{1,9}(?:anteriores|previas)"
    r"|ignore[rz]?\s{1,9}(?:toutes\s{1,9})?les\s{1,9}instructions\s{1,9}(?:précédentes|antérieures)",
    re.IGNORECASE,
)  # fmt: skip
SHOWN = 3


def injections(text: str) -> list[str]:
    """The first places of a text that look like orders to a language model, as they stand there."""
    return [" ".join(m.group().split())[:120] for m in list(_PATTERNS.finditer(text[:50_000]))[:SHOWN]]
