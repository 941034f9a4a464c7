"""The last of a run: everything it produced reaches the server, then the word that it ended."""

import logging
import threading
import time

from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.outbox import OutboxFull
from goliat_monitoring.agent.run import Run
from goliat_monitoring.agent.settings import Intervals
from goliat_monitoring.wire.agent import End
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)


def deliver(run: Run, server: Server, intervals: Intervals, stop: threading.Event) -> bool:
    """Deliver a run that has an ending, however long the server is away.

    True when it is over for this agent: delivered, or set aside because the server does not know it. False when the
    agent is told to end meanwhile; the next one goes on.
    """
    run.collect_all()
    retry = Backoff(intervals.retry_s, intervals.retry_cap_s)
    while not stop.is_set():
        try:
            run.outbox.flush()
        except OutboxFull as full:
            log.warning("%s: %s", run.run_id, full)
            stop.wait(retry.step())
            continue
        if run.uploader.idle and run.shipper.idle:
            if _end(run, server, stop, retry):
                return True
        elif run.shipper.unknown or run.uploader.unknown:
            # No fence, and nothing to wait for: kept, and offered again when the server has another past.
            return _set_aside(run, "the server does not know this run")
        else:
            stop.wait(min(0.1, intervals.watch_s))
    return False


def _end(run: Run, server: Server, stop: threading.Event, retry: Backoff) -> bool:
    record = run.record
    ending, position = record.ending, run.outbox.position
    if ending is None:
        raise ValueError("a run without an ending cannot be delivered")
    end = End(
        cause=ending.cause,
        exit_code=ending.exit_code,
        ended_at=ending.at,
        stream=position.stream,
        next_offset=position.next - position.base,
        reason=ending.reason,
        manifest=run.uploads.manifest(),
    )
    try:
        ended = server.end(run.run_id, record.job.fence, end)
    except Unreachable as error:
        stop.wait(error.retry_after or retry.step())
        return False
    except Refused as refused:
        return _refused(run, refused, stop, retry)
    record.state = ended.state
    record.phase = "delivered"
    record.delivered_at = time.time()
    run.save()
    log.info("%s: delivered; the server judges %s %s", run.run_id, ended.state, ended.reason)
    return True


def _refused(run: Run, refused: Refused, stop: threading.Event, retry: Backoff) -> bool:
    if refused.status == 409 and "next" in refused.extra:
        run.shipper.verify()
        return False
    if refused.status == 409 and "missing" in refused.extra:
        run.uploader.verify()
        stop.wait(retry.step())
        return False
    if refused.status in (404, 409):
        return _set_aside(run, f"{refused.error} {refused.details}")
    log.warning("%s: the end is refused: %s %s", run.run_id, refused.error, refused.details)
    stop.wait(retry.step())
    return False


def _set_aside(run: Run, why: str) -> bool:
    log.warning("%s: set aside: %s", run.run_id, why)
    run.record.phase = "set_aside"
    run.save()
    return True
