"""What the writer did, in plain numbers: commits by size and by duration."""

from bisect import bisect_left

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 512)
# Seconds from the first statement of a group to the end of its commit.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Tally:
    """Counts since the start. `sizes` and `times`: how many groups fell into each bucket, the last one is the rest."""

    def __init__(self) -> None:
        self.sizes = [0] * (len(SIZES) + 1)
        self.times = [0] * (len(SECONDS) + 1)
        self.calls = 0
        self.seconds = 0.0
        self.restarts = 0

    def count(self, size: int, seconds: float) -> None:
        """One more group of `size` calls."""
        self.sizes[bisect_left(SIZES, size)] += 1
        self.times[bisect_left(SECONDS, seconds)] += 1
        self.calls += size
        self.seconds += seconds
