"""The command that adds a worker: the pages and the documents say the same."""

import re
from pathlib import Path

import pytest

from goliat_monitoring.server.pages.render import TEMPLATE
from goliat_monitoring.server.pages.show import Server

DOCS = Path(__file__).parents[3] / "docs"
SERVER = Server("http://SERVER:8000", wants_token=True, here_only=False, acts=True, governs=True)


def commands() -> list[str]:
    """The blocks to be copied, as they are copied."""
    macros = TEMPLATE.get_template("macros.html").make_module({})
    html = str(macros.add_worker(SERVER, True))  # type: ignore[attr-defined]
    return [it.replace("&#34;", '"') for it in re.findall("<code>([^<]*\n[^<]*)</code>", html)]


@pytest.mark.parametrize("name", ["quickstart.md", "howto/add-a-worker.md"])
def test_documents_have_the_lines_of_the_pages(name: str) -> None:
    text = (DOCS / name).read_text()
    shown = commands()
    assert len(shown) == 2
    for block in shown:
        assert f"\n{block}\n```" in text
        # Nothing else is to be put in, and each of it is explained.
        assert set(re.findall(r"[A-Z]+_[A-Z_]+", block)) == {"GOLIAT_FOLDER", "GOLIAT_MONITORING", "ONE_TIME_TOKEN"}


def test_what_is_to_be_put_in_is_explained_beside_it() -> None:
    macros = TEMPLATE.get_template("macros.html").make_module({})
    html = str(macros.add_worker(SERVER, False))  # type: ignore[attr-defined]
    beside = re.sub("<[^>]+>", "", html.partition("</pre>")[2].rpartition("</div>")[0])
    for word in ("GOLIAT_FOLDER, GOLIAT's project folder", "GOLIAT_MONITORING, a copy of this program"):
        assert word in beside
    assert "--token" not in html
