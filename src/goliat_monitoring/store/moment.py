"""The moment at which a unit of work happens, and the windows in force then. Handed to every write."""

import msgspec

from goliat_monitoring.fleet.timing import JUDGE_DELAY, LEASE, OFFER_AFTER_LEASE, REORDER_WINDOW


class Moment(msgspec.Struct, frozen=True):
    """`now`: the server's clock, UTC microseconds. Spans in microseconds.

    `reorder_window`: how long a bare line waits for its neighbours before it is numbered.
    `judge_delay`: how long after `finished` a bare run is judged.
    `end_stalled_after`: how long a run may be stalled before the server ends it; None: as long as it likes.
    `lease`: how long an agent's run is its worker's after a heartbeat. `offer_after`: how long after the end of that an
    assignment waits for its worker before another may have it.
    `quiet_until`: nothing expires before this time (server start or a jump of its clock).
    """

    now: int
    reorder_window: int = REORDER_WINDOW
    judge_delay: int = JUDGE_DELAY
    quiet_until: int = 0
    end_stalled_after: int | None = None
    lease: int = LEASE
    offer_after: int = OFFER_AFTER_LEASE

    def at(self, now: int) -> "Moment":
        """Another moment with the same windows in force."""
        return Moment(
            now, self.reorder_window, self.judge_delay, self.quiet_until, self.end_stalled_after, self.lease,
            self.offer_after,
        )  # fmt: skip
