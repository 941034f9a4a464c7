"""What a person sees of the rows of a list on a phone, and of a field that is too narrow."""

from playwright.sync_api import Locator, Page, expect

# Of each row its text, its height, and the cells that lie on one another.
ROWS = """(rows) => rows.map((row) => {
  const parts = [...row.children].flatMap((it) => getComputedStyle(it).display === 'contents' ? [...it.children] : [it])
  const cells = parts.filter((it) => it.offsetParent && it.innerText.trim())
  const boxes = cells.map((it) => {
    const range = document.createRange()
    range.selectNodeContents(it)
    const text = range.getBoundingClientRect(), cell = it.getBoundingClientRect()
    const clips = [it, ...it.querySelectorAll('*')].filter((one) => getComputedStyle(one).overflowX === 'hidden')
    const right = Math.min(text.right, ...clips.map((one) => one.getBoundingClientRect().right))
    return {left: text.left, right, top: cell.top + 4, bottom: cell.bottom - 4, text: it.innerText}
  })
  const over = []
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const apart = a.left > b.right - 1 || b.left > a.right - 1 || a.top > b.bottom || b.top > a.bottom
    if (!apart) over.push([a.text, b.text])
  }))
  return [row.innerText, row.getBoundingClientRect().height, over]
})"""

# How much of the chosen option's text a field is too narrow for, in pixels.
CUT = """(field) => {
  const style = getComputedStyle(field), pen = document.createElement('canvas').getContext('2d')
  pen.font = style.font
  const arrow = 20, rest = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + arrow
  return pen.measureText(field.selectedOptions[0].text).width + rest - field.clientWidth
}"""


def two_lines(page: Page, table: str, name: str) -> None:
    """Insist that each row of `table` is two lines high and that nothing in it lies on something else."""
    page.locator(f"{table} > tbody > tr").first.wait_for()
    rows = page.locator(f"{table} > tbody > tr:not(.detail)").evaluate_all(ROWS)
    assert rows, name
    for text, height, overlaps in rows:
        assert height < 80, (name, text)
        assert overlaps == [], (name, text)


def opened(row: Locator, labels: list[str]) -> None:
    """Open the third line of a row; insist that the cells of these labels are on it and nowhere else."""
    for label in labels:
        expect(row.locator(f"[data-label='{label}']")).to_be_hidden()
    row.get_by_text("More about").click()
    for label in labels:
        expect(row.locator(f"[data-label='{label}']")).to_be_visible()
