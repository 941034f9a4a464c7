"""Turning views into HTML. Every text is escaped and made visible on its way out, whoever wrote it."""

import json
import re
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from goliat_monitoring.server.pages import numbers, ranges, words
from goliat_monitoring.server.pages.assets import BUILD, STATIC_URL, TEMPLATES
from goliat_monitoring.wire.clock import iso

# Characters of a config's value in one line.
LONGEST_VALUE = 160
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")


def _visible(value: Any) -> Any:
    # Markup comes from our own templates; every other text may come from a machine.
    return numbers.shown(value) if type(value) is str else value


def moment(micros: int | None, kind: str = "ago") -> str | Markup:
    """A time in UTC that the page's script makes relative (`ago`, `since`) or local (`at`, `clock`)."""
    if micros is None:
        return "\N{EN DASH}"
    stamp = iso(micros)
    # Readable as it stands, without the script.
    text = stamp[11:19] if kind == "clock" else f"{stamp[:10]} {stamp[11:16]} UTC"
    return Markup('<time datetime="{}" data-as="{}">{}</time>').format(stamp, kind, text)


def timed(text: str) -> Markup:
    """A sentence of the rules, with its times as the viewer reads them."""
    pieces = _STAMP.split(numbers.shown(text))
    marked = [
        Markup('<time datetime="{0}" data-as="at">{0}</time>').format(piece) if i % 2 else escape(piece)
        for i, piece in enumerate(pieces)
    ]
    return Markup("").join(marked)


def brief(value: object) -> str:
    """A JSON value in one line, its beginning where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def raw(text: str) -> Markup:
    """`text` as it is, escaped: for fields whose text comes back from the browser."""
    return escape(text)


def environment() -> Environment:
    """The template environment of the dashboard."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.globals.update(
        STATIC=STATIC_URL,
        BUILD=BUILD,
        sign=words.sign,
        run_sign=words.run_sign,
        percent=numbers.whole_percent,
        plural=numbers.plural,
        raw=raw,
    )
    env.filters.update(
        iso=iso, moment=moment, span=numbers.span, size=numbers.size, count=numbers.count, money=numbers.money,
        hours=numbers.hours, finish=ranges.finish, left=ranges.left,
        brief=brief, timed=timed,
    )  # fmt: skip
    return env


TEMPLATE = environment()


def render(template: str, **context: object) -> str:
    """The text of one template."""
    return TEMPLATE.get_template(template).render(**context)
