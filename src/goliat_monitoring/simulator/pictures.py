"""Pictures of the window's tabs: drawn, not photographed. Each names its tab and says that a simulator made it."""

import math
import random
from collections.abc import Mapping

from goliat_monitoring.simulator.jpeg import Colour, jpeg

TABS = ("Timings", "Timings_Piecharts", "Time_Remaining", "Overall_Progress", "System_Utilization", "Disk_I/O")
WIDTH, HEIGHT = 120, 66
GROUND: Colour = (27, 30, 35)
INK: Colour = (222, 226, 230)
FAINT: Colour = (80, 88, 98)
ACCENTS: tuple[Colour, ...] = ((77, 171, 247), (105, 219, 124), (255, 169, 77), (247, 131, 172), (151, 117, 250))
# Each letter as five rows of three squares, a row in one octal digit.
FONT: Mapping[str, str] = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555", "O": "25552", "P": "65644",
    "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "71747", "3": "71317", "4": "55711", "5": "74717",
    "6": "74757", "7": "71122", "8": "75757", "9": "75717", "%": "51245", "/": "11244", ".": "00002", "_": "00007",
}  # fmt: skip


class Canvas:
    """Squares of colour."""

    def __init__(self) -> None:
        self.rows: list[list[Colour]] = [[GROUND] * WIDTH for _ in range(HEIGHT)]

    def box(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle; what lies outside the picture is left out."""
        for row in self.rows[max(0, top) : max(0, top + height)]:
            for x in range(max(0, left), min(WIDTH, left + width)):
                row[x] = colour

    def text(self, left: int, top: int, words: str, colour: Colour = INK) -> None:
        """Write in capitals, one square a dot."""
        for index, letter in enumerate(words.upper()):
            for y, digit in enumerate(FONT.get(letter, "00000")):
                for x in range(3):
                    if int(digit) & (4 >> x):
                        self.box(left + index * 4 + x, top + y, 1, 1, colour)


def screenshot(tab: str, percent: float, label: str, seed: int) -> bytes:
    """A JPEG of one tab at `percent` of the study. The same seed draws the same figures."""
    canvas = Canvas()
    canvas.text(3, 3, tab)
    canvas.text(WIDTH - 39, 3, "simulator", FAINT)
    canvas.text(3, HEIGHT - 8, label[: WIDTH // 4 - 2], FAINT)
    dice = random.Random(f"{seed}{tab}")  # noqa: S311 -- a picture
    if tab == "Overall_Progress":
        canvas.text(WIDTH // 2 - 8, 18, f"{percent:.0f}%")
        canvas.box(8, 28, WIDTH - 16, 8, FAINT)
        canvas.box(8, 28, round((WIDTH - 16) * percent / 100), 8, ACCENTS[0])
    elif tab == "Timings_Piecharts":
        _pie(canvas, dice)
    elif tab == "Timings":
        for index, colour in enumerate(ACCENTS):
            canvas.text(3, 13 + index * 8, ("setup", "run", "extract", "wait", "total")[index], FAINT)
            canvas.box(34, 13 + index * 8, dice.randrange(8, WIDTH - 38), 5, colour)
    else:
        _curve(canvas, dice, falling=tab == "Time_Remaining", percent=percent)
    return jpeg(canvas.rows)


def _pie(canvas: Canvas, dice: random.Random) -> None:
    edges = sorted(dice.uniform(-math.pi, math.pi) for _ in ACCENTS)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            across, down = x - WIDTH / 2, y - 32
            if across * across + down * down < 20 * 20:
                angle = math.atan2(down, across)
                canvas.rows[y][x] = ACCENTS[sum(angle > edge for edge in edges) % len(ACCENTS)]


def _curve(canvas: Canvas, dice: random.Random, *, falling: bool, percent: float) -> None:
    canvas.box(6, 12, 1, 40, FAINT)
    canvas.box(6, 52, WIDTH - 12, 1, FAINT)
    level = 0.5
    for x in range(round((WIDTH - 14) * max(percent, 4) / 100)):
        level = min(1.0, max(0.05, level + dice.uniform(-0.12, 0.12)))
        share = 1 - x / (WIDTH - 14) if falling else level
        canvas.box(7 + x, 51 - round(38 * share), 1, 2, ACCENTS[x % 2 if falling else 1])
