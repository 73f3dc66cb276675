"""Small helpers of the templates."""

from functools import lru_cache
from urllib.parse import urlsplit

from django import template
from django.http import QueryDict
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def pieces(text: str) -> list[str]:
    """The parts of a text between `|` signs."""
    return text.split("|")


@register.filter
@lru_cache(1024)
def options(pairs: tuple[tuple[str, str], ...]) -> SafeString:
    """`<option>`s of values and labels, written once for the same ones.

    >>> options((("it", "IT & more"),))
    '<option value="it">IT &amp; more</option>'
    """
    return format_html_join("", '<option value="{}">{}</option>', pairs)


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash where there is none.

    >>> percent(0.8512)
    '85.1%'
    """
    return "–" if not isinstance(share, int | float) else f"{share * 100:.{digits}f}%"


@register.filter
def points(share: float | None) -> str:
    """A difference of shares in points.

    >>> points(0.018)
    '+1.8 pts'
    """
    return "–" if share is None else f"{share * 100:+.1f} pts"


@register.filter
def measured(value: float | None, metric: str) -> str:
    """A guardrail's value in its own unit.

    >>> measured(0.021, "error"), measured(12.34, "latency_ms"), measured(None, "error")
    ('2.1%', '12.3 ms', '–')
    """
    if value is None:
        return "–"
    if metric.startswith("latency"):
        return f"{value:.1f} ms"
    return f"{value:.1%}" if metric in ("error", "low_confidence") else f"{value:.3f}"


@register.simple_tag(takes_context=True)
def query(context: dict, **changes: object) -> str:
    """The page's query string with some parameters changed; empty ones are left out.

    In a fragment it is the query string of the page that the fragment stands in.
    """
    request = context["request"]
    htmx = getattr(request, "htmx", None)
    if htmx and htmx.current_url:
        params = QueryDict(urlsplit(htmx.current_url).query, mutable=True)
    else:
        params = request.GET.copy()
    params.pop("after", None)
    for key, value in changes.items():
        params.pop(key, None)
        if value not in (None, ""):
            params[key] = str(value)
    return f"?{params.urlencode()}" if params else "?"
