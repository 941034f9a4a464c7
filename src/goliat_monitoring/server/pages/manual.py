"""The documents of the repository as pages: read from the package, rendered once, raw HTML shown as text."""

import posixpath
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

import goliat_monitoring

PACKAGE = Path(goliat_monitoring.__file__).parent
# In an installed package, else in a checkout of the repository.
FOLDERS = (PACKAGE / "docs", PACKAGE.parents[1] / "docs")
ADDRESS = "/help"
# Documents and pictures kept in memory; names that nothing has count too.
KEPT = 100
PICTURES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".gif": "image/gif"}
# By group, in the order of reading; what is in none of them follows under "More".
GROUPS: Sequence[tuple[str, Sequence[str]]] = (
    ("Begin", ("quickstart", "howto/add-a-worker", "howto/run-a-study", "howto/read-a-failure")),
    ("Use", ("dashboard", "studies", "run-page", "pages", "splitting", "scheduling", "progress", "logs", "settings")),
    ("Inside", ("architecture", "benchmarks", "decisions/README")),
)


class Heading(NamedTuple):
    """A heading below the title. `level`: 2 or 3."""

    level: int
    anchor: str
    text: str


class Document(NamedTuple):
    """A rendered document. `name`: its path without `.md`."""

    name: str
    title: str
    html: Markup
    headings: list[Heading]


class Entry(NamedTuple):
    """A line of the table of contents."""

    name: str
    title: str


def folder() -> Path | None:
    """Where the documents lie; None if this installation has none."""
    return next((it for it in FOLDERS if (it / "quickstart.md").is_file()), None)


@cache
def contents() -> list[tuple[str, list[Entry]]]:
    """All documents by group."""
    root = folder()
    if root is None:
        return []
    titles = {
        path.relative_to(root).with_suffix("").as_posix(): _title(path.read_text("utf-8"))
        for path in sorted(root.rglob("*.md"))
    }
    found = [(group, [Entry(name, titles[name]) for name in names if name in titles]) for group, names in GROUPS]
    named = {name for _, names in GROUPS for name in names}
    rest = [Entry(name, title) for name, title in titles.items() if name not in named and "/" not in name]
    return [(group, entries) for group, entries in [*found, ("More", rest)] if entries]


@lru_cache(KEPT)
def document(name: str) -> Document | None:
    """One document; None for a name that no document has."""
    path = _inside(f"{name}.md")
    if path is None:
        return None
    tokens = _MARKDOWN.parse(path.read_text("utf-8"))
    headings, title = _anchors(tokens), name
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        title = _plain(tokens[1])
    _empty_headings(tokens)
    for token in tokens:
        _tame(token, posixpath.dirname(name))
        for child in token.children or []:
            _tame(child, posixpath.dirname(name))
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # Raw HTML is off: all tags are the renderer's own.
    return Document(name, title, Markup(html), headings)  # noqa: S704


@lru_cache(KEPT)
def picture(name: str) -> tuple[bytes, str] | None:
    """A picture of the documents and its media type; None if there is none."""
    path = _inside(name)
    if path is None or path.suffix.lower() not in PICTURES:
        return None
    return path.read_bytes(), PICTURES[path.suffix.lower()]


def address(target: str, base: str) -> str | None:
    """Where a link of a document in the folder `base` leads here; None where that is not served."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https"):
        return target
    if parts.scheme or parts.netloc:
        return None
    if not parts.path:
        return target
    path = posixpath.normpath(posixpath.join(base, parts.path))
    file = _inside(path) or _inside(f"{path}/README.md")
    if file is None:
        return None
    root = folder() or file.parent
    known = file.relative_to(root.resolve())
    shown = known.with_suffix("") if known.suffix == ".md" else known
    return f"{ADDRESS}/{shown.as_posix()}{f'#{parts.fragment}' if parts.fragment else ''}"


def _inside(name: str) -> Path | None:
    """The file of that name below the folder of the documents, nowhere else."""
    root = folder()
    if root is None or "\x00" in name:
        return None
    path = (root / name).resolve()
    return path if path.is_relative_to(root.resolve()) and path.is_file() else None


def _title(text: str) -> str:
    found = re.search(r"^# +(.+?) *$", text, re.MULTILINE)
    return found[1].replace("`", "") if found else "Untitled"


def _plain(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def _anchors(tokens: Sequence[Token]) -> list[Heading]:
    """Give each heading an id as GitHub does; those of levels 2 and 3."""
    found, used = [], set()
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = _plain(inline)
        anchor = start = re.sub(r"[^\w -]", "", text.casefold()).replace(" ", "-") or "section"
        number = 1
        while anchor in used:
            anchor, number = f"{start}-{number}", number + 1
        used.add(anchor)
        token.attrSet("id", anchor)
        if token.tag in ("h2", "h3"):
            found.append(Heading(int(token.tag[1]), anchor, text))
    return found


def _empty_headings(tokens: Sequence[Token]) -> None:
    """A heading of a table that says nothing heads nothing: it becomes a cell as others."""
    for before, inline, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.type == "th_open" and inline.type == "inline" and not inline.content:
            before.tag = after.tag = "td"


def _tame(token: Token, base: str) -> None:
    """No style in attributes, which the policy of the pages forbids; links lead to where the target is served."""
    if token.type in ("th_open", "td_open") and token.attrs.pop("style", "") == "text-align:right":
        token.attrs["class"] = "num"
    if token.type == "image":
        token.attrs["src"] = address(str(token.attrs.get("src", "")), base) or ""
        token.attrs["loading"] = "lazy"
    if token.type == "link_open":
        target = address(str(token.attrs.get("href", "")), base)
        if target is None:
            del token.attrs["href"]
        else:
            token.attrs["href"] = target
            if target.startswith("http"):
                token.attrs["rel"] = "noreferrer"


def _scrolling(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    tag = '<div class="scroll" tabindex="0">' if tokens[index].nesting == 1 else "</div>"
    own = str(self.renderToken(tokens, index, options, env))
    return tag + own if tokens[index].nesting == 1 else own + tag


def _code(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ARG001 - its form
    # Long lines scroll, also with the keyboard.
    return f'<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre>\n'


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKDOWN.add_render_rule("fence", _code)
_MARKDOWN.add_render_rule("code_block", _code)
_MARKDOWN.add_render_rule("table_open", _scrolling)
_MARKDOWN.add_render_rule("table_close", _scrolling)
