"""What studies have taken and will take, looked up at most every few seconds, whoever asks."""

import time
from collections import OrderedDict
from functools import partial

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.read.usage import StudyUsage, study_usage
from goliat_monitoring.wire.clock import SECOND

# How old an answer may be, seconds; more where it costs much, so that it takes a fiftieth of a processor, to a limit.
FRESH_S = 3.0
STALE_S = 60.0
COSTS = 50.0
KEPT = 200


class Usages:
    """One for the application. All runs of a study and of its workers are looked at for it, so not for every glance."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, tuple[int, float, StudyUsage]] = OrderedDict()

    async def now(self, db: Database, now: int, study_id: str, future: Outlook) -> StudyUsage:
        """The usage of a study as of `now`, UTC microseconds, or a moment ago."""
        known = self._told.get(study_id)
        if known is not None and 0 <= now - known[0] < min(max(FRESH_S, COSTS * known[1]), STALE_S) * SECOND:
            return known[2]
        began = time.monotonic()
        told = future.studies.get(study_id)
        found = await db.read(partial(study_usage, now=now, study_id=study_id, future=told))
        self._told[study_id] = now, time.monotonic() - began, found
        self._told.move_to_end(study_id)
        while len(self._told) > KEPT:
            self._told.popitem(last=False)
        return found
