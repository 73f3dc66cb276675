"""System checks: what is missing or unsafe, with a hint that says what to set."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

DEMO_KEY = "insecure-"


@register(deploy=True)
def secret_key(**kwargs: Any) -> list[CheckMessage]:
    if not settings.SECRET_KEY.startswith(DEMO_KEY):
        return []
    return [Error("The secret key is the demo's.", hint="Set REVIEWDESK_SECRET_KEY.", id="reviewdesk.E001")]


def missing_settings() -> list[str]:
    """What the chosen back ends need and is not set, in words that say what to set."""
    found = []
    if settings.RETRIEVAL == "elasticsearch" and not settings.ELASTICSEARCH_URL:
        found.append("REVIEWDESK_RETRIEVAL is elasticsearch: set ELASTICSEARCH_URL too.")
    if settings.DRAFTING == "mistral" and not settings.MISTRAL_API_KEY.strip():
        found.append("REVIEWDESK_DRAFTING is mistral: set MISTRAL_API_KEY too.")
    return found


@register("backends")
def backends(**kwargs: Any) -> list[CheckMessage]:
    return [Warning(text, id="reviewdesk.W002") for text in missing_settings()]


@register("backends")
def encoder(**kwargs: Any) -> list[CheckMessage]:
    from ml.encoder import resolve_encoder
    from ml.errors import EncoderError

    problems: list[CheckMessage] = []
    for name, value in (("REVIEWDESK_ENCODER", settings.ENCODER), ("REVIEWDESK_EMBEDDER", settings.EMBEDDER)):
        try:
            resolve_encoder(value)
        except EncoderError as error:
            problems.append(Warning(str(error), hint=f"Change {name}, or install what it names.", id="reviewdesk.W001"))
    return problems
