"""The documents as the product serves them."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from playwright.sync_api import expect

from goliat_monitoring.server.pages import manual
from tests.pages.accessibility import problems
from tests.pages.conftest import Screen, Server

DOCS = Path(__file__).parents[2] / "docs"
expect.set_options(timeout=8000)


def test_01_a_newcomer_finds_the_way(screen: Screen) -> None:
    page = screen.open("/")
    page.get_by_role("link", name="Help").click()
    page.get_by_role("link", name="Quickstart").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quickstart")
    page.locator(".contents").get_by_role("link", name="Splitting a study").click()
    expect(page.get_by_role("heading", level=2, name="Strategies")).to_be_visible()
    expect(page.locator(".prose table").first).to_be_visible()
    page.locator(".contents").get_by_role("link", name="Strategies").click()
    assert page.url.endswith("/help/splitting#strategies")
    page.locator(".contents").get_by_role("link", name="Progress, ETA and cost").click()
    picture = page.locator(".prose img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.prose img').complete")
    assert picture.evaluate("it => it.naturalWidth") > 100


def test_02_a_question_mark_leads_to_its_answer(screen: Screen) -> None:
    for path in ("/studies/new", "/settings"):
        page = screen.open(path)
        hints = [str(it.get_attribute("href")) for it in page.locator("a.hint").all()]
        assert hints, path
        for hint in hints:
            page.goto(screen.url + hint)
            expect(page.locator(".prose h1")).to_be_visible()
            _, anchor = urldefrag(hint)
            if anchor:
                expect(page.locator(f"[id='{anchor}']")).to_be_visible()


def test_03_every_link_of_every_document_leads_somewhere(server: Server) -> None:
    names = [path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")]
    ids: dict[str, set[str]] = {}
    pages = {}
    for name in names:
        answer = server.api.get(f"/help/{name}")
        assert answer.status_code == 200, name
        pages[f"/help/{name}"] = answer.text
        ids[f"/help/{name}"] = set(re.findall(r'<h\d id="([^"]+)"', answer.text))
        assert "style=" not in answer.text, name
    for address, text in pages.items():
        prose = text[text.index('<article class="prose">') :]
        for link in re.findall(r'(?:href|src)="([^"]*)"', prose):
            target, anchor = urldefrag(urljoin(address, link))
            if urlsplit(target).scheme:
                continue
            if target not in pages:
                assert server.api.get(target).status_code == 200, (address, link)
            elif anchor:
                assert anchor in ids[target], (address, link)


def test_03b_every_document_is_accessible_in_both_themes_and_fits_a_phone(screen: Screen) -> None:
    page = screen.open("/help")
    for name in [path.relative_to(DOCS).with_suffix("").as_posix() for path in sorted(DOCS.rglob("*.md"))]:
        page.goto(f"{screen.url}/help/{name}")
        # All that stands around the document is the same.
        assert problems(page, ".prose") == [], name
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark")
    for name in ("dashboard", "benchmarks"):
        page.goto(f"{screen.url}/help/{name}")
        assert problems(page) == [], name
    # A table without headings begins with its first row.
    machine = page.locator("table", has=page.get_by_role("cell", name="Load generator", exact=True))
    expect(machine.locator("thead")).to_be_hidden()
    expect(machine.get_by_role("cell", name="CPU", exact=True)).to_be_visible()


def test_03c_the_calls_of_the_api_are_a_page_like_others(screen: Screen, server: Server) -> None:
    page = screen.open("/help")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".calls dt", has_text=re.compile("^GET /api/runs$"))).to_be_visible()
    assert problems(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    machines = page.get_by_role("link", name="openapi.json").get_attribute("href")
    assert "/api/runs" in server.get(str(machines))["paths"]


@pytest.mark.parametrize(
    "path",
    [
        "/help/nothing", "/help/..%2F..%2Fpyproject", "/help/../../README", "/help/img", "/help/%2Fetc%2Fpasswd",
        "/help/..%2Fuv.lock", "/help/quickstart.txt",
    ],
)  # fmt: skip
def test_04_nothing_but_the_documents_is_served(server: Server, path: str) -> None:
    answer = server.api.get(path)
    assert answer.status_code == 404, path


def test_05_raw_html_is_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    links = "[x](javascript:alert(1)) [out](../secret.md) ![p](../p.png)"
    text = f"# T\n\n<script>alert(1)</script>\n\n{links}\n\n| a |\n|--:|\n| 1 |\n"
    (tmp_path / "quickstart.md").write_text(text)
    monkeypatch.setattr(manual, "FOLDERS", (tmp_path,))
    manual.document.cache_clear()
    try:
        found = manual.document("quickstart")
    finally:
        manual.document.cache_clear()
    assert found is not None
    assert "<script" not in found.html
    assert "&lt;script&gt;" in found.html
    assert "javascript:" not in re.sub(r">[^<]*<", "", found.html)
    assert "secret" not in re.sub(r">[^<]*<", "", found.html)
    assert '<td class="num">' in found.html


def test_06_every_picture_of_a_page_is_shown_or_linked() -> None:
    made = {path.name for path in (DOCS / "img" / "pages").iterdir()}
    used = set(re.findall(r"img/pages/([\w-]+\.png)", (DOCS / "pages.md").read_text()))
    assert made == used


def test_07_the_package_carries_the_documents_to_where_they_are_looked_for() -> None:
    build = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert manual.FOLDERS[0] == manual.PACKAGE / "docs"
    assert build["force-include"]["docs"] == "goliat_monitoring/docs"
