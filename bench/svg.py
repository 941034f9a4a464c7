"""A line over time as an SVG file, readable on light and dark ground."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 36, 40
GREY, LINE = "#808080", "#2f7ebc"
TICKS = 5


def plot(title: str, label: str, xs: Sequence[float], ys: Sequence[float]) -> str:
    """`ys` over `xs`, from zero: a curve that only looks steep because its axis is cut would be no proof."""
    most_x, most_y = max(xs[-1], 1e-9), max(ys) * 1.15

    def x(value: float) -> float:
        return LEFT + value / most_x * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / most_y * (HEIGHT - TOP - BOTTOM)

    points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in zip(xs, ys, strict=True))
    style = f'font-family="sans-serif" font-size="12" fill="{GREY}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>',
        f"<title>{escape(title)}</title>",
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for number in range(TICKS + 1):
        value_y, value_x = most_y * number / TICKS, most_x * number / TICKS
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value_y):.1f}" y2="{y(value_y):.1f}" '
            f'stroke="{GREY}" stroke-opacity="0.25"/>'
            f'<text x="{LEFT - 8}" y="{y(value_y) + 4:.1f}" text-anchor="end">{value_y:.0f}</text>'
            f'<text x="{x(value_x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value_x:.3g}</text>'
        )
    parts += [
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(label)}</text>',
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="2"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
