"""Writes docs/img/eta_replay.svg and prints its figures: `python -m tests.replay.plot` in the repository's root."""

from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from tests.replay.world import TRUTHS, Replay, replay

SEEDS = 24
LOOKS = [5.0, 10.0, *(float(p) for p in range(15, 96, 5))]
TOLD = (10.0, 25.0, 50.0, 75.0)
TARGET = Path(__file__).parents[2] / "docs" / "img" / "eta_replay.svg"
PANEL = (330, 240)
LEFT, TOP, GAP = 58, 44, 70
MOST = 60.0


def main() -> None:
    """Play, print, draw."""
    played = {truth: [replay(seed, truth, iter(LOOKS)) for seed in range(SEEDS)] for truth in TRUTHS}
    for truth, replays in played.items():
        print(f"{truth}: {SEEDS} replays, done after {median(it.end for it in replays) / 3600:.1f} h in the median")
        for progress in TOLD:
            print("  " + _row(replays, progress))
    width = LEFT + len(played) * (PANEL[0] + GAP)
    body = "".join(
        _panel(truth, replays, LEFT + number * (PANEL[0] + GAP))
        for number, (truth, replays) in enumerate(played.items())
    )
    height = TOP + PANEL[1] + 50
    TARGET.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>{body}</svg>\n'
    )


def _row(replays: list[Replay], progress: float) -> str:
    errors = [100 * it.error(it.at(progress)) for it in replays]
    inside = sum(it.at(progress).p10 <= it.end - it.at(progress).at <= it.at(progress).p90 for it in replays)
    return (
        f"at {progress:.0f} %: median error {median(map(abs, errors)):.0f} %, bias {median(errors):+.0f} %, "
        f"worst {max(map(abs, errors)):.0f} %, in the range {100 * inside / len(replays):.0f} %"
    )


def _panel(truth: str, replays: list[Replay], left: float) -> str:
    def x(progress: float) -> float:
        return left + PANEL[0] * progress / 100

    def y(error: float) -> float:
        return TOP + PANEL[1] * (MOST - max(-MOST, min(MOST, error))) / (2 * MOST)

    parts = [
        f'<text x="{left}" y="{TOP - 22}" font-weight="bold">durations: {truth}</text>',
        f'<text x="{left}" y="{TOP - 7}" fill="#555">error of the time still to go, %; +: predicted too long</text>',
        f'<rect x="{left}" y="{y(15):.1f}" width="{PANEL[0]}" height="{y(-15) - y(15):.1f}" fill="#d3eee2"/>',
        *(
            f'<line x1="{left}" x2="{left + PANEL[0]}" y1="{y(error):.1f}" y2="{y(error):.1f}" stroke="#ccc"/>'
            f'<text x="{left - 6}" y="{y(error) + 4:.1f}" text-anchor="end" fill="#555">{error:+.0f}</text>'
            for error in (-60, -30, -15, 0, 15, 30, 60)
        ),
        *(
            f'<text x="{x(share):.1f}" y="{TOP + PANEL[1] + 18}" text-anchor="middle" fill="#555">{share}</text>'
            for share in (0, 10, 25, 50, 75, 100)
        ),
        f'<text x="{x(50):.1f}" y="{TOP + PANEL[1] + 38}" text-anchor="middle" fill="#555">progress, %</text>',
        *(_line(_errors(it), x, y, 'stroke="#888" stroke-width=".7" opacity=".5"') for it in replays),
    ]
    shares = [share for share in LOOKS if all(it.looks[-1].progress >= share for it in replays)]
    at = {share: [100 * it.error(it.at(share)) for it in replays] for share in shares}
    low = [(share, quantiles(errors, n=4)[0]) for share, errors in at.items()]
    high = [(share, quantiles(errors, n=4)[2]) for share, errors in at.items()]
    outline = " ".join(f"{x(share):.1f},{y(error):.1f}" for share, error in (*low, *reversed(high)))
    parts.append(f'<polygon points="{outline}" fill="#25c" opacity=".2"/>')
    parts.append(
        _line([(share, median(errors)) for share, errors in at.items()], x, y, 'stroke="#25c" stroke-width="2"')
    )
    return "".join(parts)


def _errors(played: Replay) -> list[tuple[float, float]]:
    return [(look.progress, 100 * played.error(look)) for look in played.looks]


def _line(
    points: list[tuple[float, float]], x: Callable[[float], float], y: Callable[[float], float], style: str
) -> str:
    path = " ".join(f"{x(share):.1f},{y(error):.1f}" for share, error in points)
    return f'<polyline points="{path}" fill="none" {style}/>'


if __name__ == "__main__":
    main()
