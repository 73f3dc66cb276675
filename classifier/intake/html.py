"""HTML mail: as text for models and search, cleaned for a sandboxed frame."""

import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from urllib.parse import unquote

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from classifier.intake.html_bounds import bounded

MAX_HTML = 2 * 2**20
TEXT_DEPTH = 60  # lxml drops what lies deeper than 256, and a table alone is four deep
MAX_CLEAN = 3 * 2**20  # characters
_CID = re.compile(r'\bsrc="cid:([^"]{0,400})"', re.IGNORECASE)
_PICTURES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"])
_SPACES = re.compile(r"[^\S\n]{3,}")  # what is left of layout tables
_BLANKS = re.compile(r"\n\s*\n\s*(?:\n\s*)+")
_TAGS = nh3.ALLOWED_TAGS | {"font", "u", "center"}
_ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    "*": {"align", "valign", "width", "height", "bgcolor", "color", "style", "dir"},
    "font": {"color", "face", "size"},
    "img": {"alt", "src", "width", "height"},
}
_STYLES = {
    "color", "background-color", "font-weight", "font-style", "font-size", "font-family", "text-align",
    "text-decoration", "padding", "margin", "border", "width", "height", "line-height",
}  # fmt: skip


def html_to_text(html: str) -> str:
    """Readable text of an HTML body: paragraphs and tables kept, tags and scripts gone."""
    html = bounded(html[:MAX_HTML], depth=TEXT_DEPTH)
    try:
        text = get_text(html, _CONFIG)
    except Exception:  # lxml refuses some malformed documents outright; nh3 reads them all
        text = nh3.clean(html, tags=set())
    return _BLANKS.sub("\n\n", _SPACES.sub("  ", text)).strip()


def clean_html(html: str) -> str:
    """HTML that is safe to show: no scripts, forms or links that carry code; remote images dropped.

    Done once, when the email comes in. Pictures of the email itself stay as `cid:` addresses; `with_images` puts them
    in. The frame's own policy forbids all of that again.
    """
    clean = nh3.clean(
        bounded(html[:MAX_HTML]),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data", "cid"},
        filter_style_properties=_STYLES,
        attribute_filter=_local_images,
        link_rel="noopener noreferrer nofollow",
    )
    if len(clean) <= MAX_CLEAN:
        return clean
    return f"<pre>{escape(html_to_text(html)[:MAX_CLEAN])}</pre>"  # formatting that repeats itself without end


def with_images(clean: str, inline: Mapping[str, bytes]) -> str:
    """Clean HTML with the pictures that came with the email, by their Content-ID, for what is a picture by its first
    bytes, whatever it says it is."""

    def data(match: re.Match) -> str:
        content = inline.get(unquote(match.group(1)), b"")
        kind = next((kind for start, kind in _PICTURES if content.startswith(start)), "")
        return f'src="data:image/{kind};base64,{b64encode(content).decode()}"' if kind else 'src=""'

    return _CID.sub(data, clean)


def _local_images(tag: str, attribute: str, value: str) -> str | None:
    if tag == "img" and attribute == "src":
        return value if value.strip().lower().startswith(("data:image/", "cid:")) else None
    if attribute == "href" and value.strip().lower().startswith(("data:", "cid:")):
        return None
    return value
