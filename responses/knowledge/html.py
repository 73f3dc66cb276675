"""HTML to Markdown text: headings, paragraphs, lists and tables; no scripts and nothing that readers do not see."""

import re
from dataclasses import dataclass

BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
DROPPED = "script, style, noscript, template, svg, iframe, object, head title, nav, [hidden], [aria-hidden=true]"
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.IGNORECASE)
MAX_DEPTH = 60


@dataclass(frozen=True)
class Page:
    title: str
    text: str


def html_to_markdown(html: str) -> Page:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    name = " ".join(title.text().split()) if title else ""
    for node in tree.css(DROPPED):
        node.decompose()
    for node in tree.css("[style]"):
        if _INVISIBLE.search(node.attributes.get("style") or ""):
            node.decompose()
    return Page(name, _text(tree.root))


def _text(root) -> str:
    """Blocks apart by blank lines, cells of a row by bars; walks without recursion, however deep the nesting."""
    if root is None:
        return ""
    parts: list[str] = []
    block, row = None, None
    for node in root.traverse(include_text=True):
        if node.tag == "br":
            parts.append("\n")
        if node.tag != "-text":
            continue
        text = re.sub(r"\s+", " ", node.text(deep=False) or "")
        if not text.strip():
            parts.append(" " if parts and block is not None else "")
            continue
        own, line = _block(node), _block(node, ("tr",))
        if block is None or own.mem_id != block.mem_id:
            same_row = line is not None and row is not None and line.mem_id == row.mem_id
            parts.append(" | " if same_row else _lead(own, block))
        block, row = own, line
        parts.append(text)
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _block(node, tags=BLOCKS):
    """The nearest ancestor with such a tag; the node itself where there is none near (None for given tags)."""
    parent = node.parent
    for _ in range(MAX_DEPTH):
        if parent is None:
            break
        if parent.tag in tags:
            return parent
        parent = parent.parent
    return node if tags is BLOCKS else None


def _lead(block, before) -> str:
    """What stands between the block before, if there is one, and a block's text."""
    if re.fullmatch(r"h[1-6]", block.tag):
        return f"\n\n{'#' * int(block.tag[1])} "
    if block.tag == "li":
        return "\n- " if before is not None and before.tag == "li" else "\n\n- "
    return "\n\n" if before is not None else ""
