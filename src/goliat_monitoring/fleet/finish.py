"""When all of the work is done, from what is known of each super study."""

from collections.abc import Iterable
from dataclasses import dataclass

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Future


@dataclass(frozen=True, slots=True)
class Finish:
    """`spread`: seconds until the last study whose end is known is done; None where none is. `unknown`: studies of
    which nothing can be told yet. `stuck`: studies of which something can be taken by nobody."""

    spread: Spread | None
    unknown: int = 0
    stuck: int = 0


def finish_of_all(futures: Iterable[Future]) -> Finish:
    """The end of the last of them. Percentiles are those of the study that is last at each, so a little too late where
    several end together."""
    futures = list(futures)
    told = [future.eta for future in futures if future.eta is not None]
    stuck = sum(future.stuck for future in futures)
    unknown = len(futures) - len(told) - stuck
    if not told:
        return Finish(None, unknown, stuck)
    return Finish(Spread(*(max(column) for column in zip(*told, strict=True))), unknown, stuck)
