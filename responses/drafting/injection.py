"""Text in an email that talks to a machine and not to people: shown to the agent, never obeyed."""

import re

_PATTERNS = re.compile(
    r"(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|my\s+)*(?:previous|prior|above|earlier|preceding|existing|system)\s+"
    r"(?:instructions?|prompts?|rules|messages?|context)"
    r"|(?:reveal|print|show|repeat|output)\s+(?:me\s+)?(?:your|the)\s+(?:system\s+|hidden\s+|initial\s+)?(?:prompt|instructions)"
    r"|you\s+are\s+(?:now|no\s+longer)\s+(?:an?\s+)?(?:\w+\s+){0,3}(?:ai|assistant|model|bot|chatgpt|developer\s+mode|dan)\b"
    r"|(?:^|\n)\s*(?:system|assistant|developer)\s*:\s*\S"
    r"|<\|?(?:im_start|im_end|system|endoftext|assistant)\|?>|\[/?INST\]|</?(?:system|instructions?)>"
    r"|(?:respond|reply|answer)\s+only\s+with\b|(?:act|pretend|behave)\s+as\s+(?:if\s+you\s+(?:were|are)\s+)?(?:an?\s+)?(?:\w+\s+){0,2}(?:ai|chatbot|language\s+model|administrator|root)\b"
    r"|new\s+(?:system\s+)?instructions?\s*:|jailbreak|prompt\s+injection|do\s+anything\s+now"
    r"|ignorier\w*\s+(?:alle\s+|die\s+)*(?:vorherigen|bisherigen|obigen)\s+(?:anweisungen|regeln)"
    r"|ignor[ae]\w*\s+(?:todas\s+)?(?:las\s+)?instrucciones\s+(?:anteriores|previas)"
    r"|ignore[rz]?\s+(?:toutes\s+)?les\s+instructions\s+(?:précédentes|antérieures)",
    re.IGNORECASE,
)  # fmt: skip
SHOWN = 3


def injections(text: str) -> list[str]:
    """The first places of a text that look like orders to a language model, as they stand there."""
    return [" ".join(m.group().split())[:120] for m in list(_PATTERNS.finditer(text[:50_000]))[:SHOWN]]
