"""What axe finds on a page."""

from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text()
RULES = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']"


def problems(page: Page, within: str = "") -> list[tuple[str, str]]:
    """(rule, first place) of each violation of WCAG 2.2 AA and of what axe calls best practice; `within`: a selector of
    the part that is looked at alone."""
    # All lines of a log are alike; a thousand of them would only take long.
    page.evaluate("document.querySelectorAll('#log li:not(:nth-last-child(-n + 30))').forEach((li) => li.remove())")
    page.evaluate(AXE)
    found = page.evaluate(f"(part) => axe.run(part || document, {{runOnly: {RULES}}})", within)["violations"]
    return [(it["id"], it["nodes"][0]["html"][:200]) for it in found]
