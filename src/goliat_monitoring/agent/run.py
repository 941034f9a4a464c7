"""One run at hand: its folder and the threads that take in, order, ship and collect what it produces."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from goliat_monitoring.agent import config_file, drafts, process_tree
from goliat_monitoring.agent.api import Server
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.collector import Collector
from goliat_monitoring.agent.disk import Disk
from goliat_monitoring.agent.guard import keep_going
from goliat_monitoring.agent.intake import Intake
from goliat_monitoring.agent.job import Folder, Record
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.orders import Orders
from goliat_monitoring.agent.outbox import Outbox, OutboxFull
from goliat_monitoring.agent.relay import Relay
from goliat_monitoring.agent.screenshots import Screenshots, send_screenshots
from goliat_monitoring.agent.settings import AgentSettings
from goliat_monitoring.agent.shipper import Shipper
from goliat_monitoring.agent.spool import take_spool
from goliat_monitoring.agent.uploads import Uploader, Uploads
from goliat_monitoring.wire.agent import CasesItem, SampleItem

log = logging.getLogger(__name__)
PRUNE_S = 60.0
CLOSE_S = 10.0


class Run:
    """Made when a job was granted or found on disk; `close` leaves everything on disk for another life."""

    def __init__(
        self,
        record: Record,
        folder: Folder,
        *,
        settings: AgentSettings,
        server: Server,
        lease: Lease,
        disk: Disk,
    ) -> None:
        """Raises OSError or sqlite3.Error when the folder cannot be used."""
        self.record = record
        self.folder = folder
        self.orders = Orders()
        self.process: psutil.Process | None = None
        self.finished_at: float | None = None
        """When the study said that it is over, on the steady clock."""
        self.spoke = False
        self._settings = settings
        self._disk = disk
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        intervals, limits, job = settings.intervals, settings.limits, record.job
        folder.create()
        self.outbox = Outbox(
            folder.outbox,
            reorder_s=intervals.reorder_s,
            held=True,
            relieve=disk.relieve,
            folding=lambda: disk.folding,
        )
        self.uploads = Uploads(folder.uploads)
        self.screenshots = Screenshots()

        def backoff() -> Backoff:
            return Backoff(intervals.retry_s, intervals.retry_cap_s)

        self.shipper = Shipper(
            self.outbox, server, lease, self.orders,
            run_id=job.run_id, fence=job.fence, ship_s=intervals.ship_s, retry=backoff(),
        )  # fmt: skip
        self.uploader = Uploader(
            self.uploads, server, lease, run_id=job.run_id, fence=job.fence, note=self.note, retry=backoff()
        )
        self.intake = Intake(
            assignment_id=job.assignment_id,
            folder=folder.received,
            outbox=self.outbox,
            uploads=self.uploads,
            screenshots=self.screenshots,
            server=server,
            limits=limits,
            heard=self._heard,
            drop_screenshots=lambda: disk.low,
        )
        self.cases, expected = config_file.cases_of(settings.workdir, job)
        self.collector = Collector(
            workdir=settings.workdir,
            control=folder.control,
            expected=expected,
            started_at=record.started_at or time.time(),
            stable_s=intervals.stable_s,
            uploads=self.uploads,
            note=self.note,
        )
        self._looking = threading.Lock()
        sending = backoff()
        self._senders: list[tuple[str, Callable[[], None]]] = [
            ("shipper", lambda: self.shipper.run(self._stop)),
            ("uploader", lambda: self.uploader.run(self._stop)),
            ("screenshots", lambda: send_screenshots(
                self.screenshots, server, lease, job.run_id, job.fence, self._stop, sending)),
            ("spool", self._take_spool),
            ("collector", self._collect),
        ]  # fmt: skip

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.job.run_id

    def start(self, relay: Relay) -> None:
        """Take in what the spool holds, then what the relay gets, and ship it."""
        take_spool(self.folder.spool, self.intake)
        relay.open(self.run_id, self.record.relay_token, self.intake)
        for name, work in self._senders:
            thread = threading.Thread(
                target=keep_going, args=(work, self._stop), name=f"{name} {self.run_id[-8:]}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def save(self) -> None:
        """Write the record."""
        self.folder.save(self.record)

    def note(self, text: str, level: str = "info") -> None:
        """Say something in the run's own log. On a disk that takes nothing more, only in the agent's."""
        log.log(logging.WARNING if level in ("warning", "error") else logging.INFO, "%s: %s", self.run_id, text)
        self._put(list(drafts.of_agent(text, level, now_micros())))

    def sample(self, values: dict[str, float]) -> None:
        """The machine's vitals, while there is room for them."""
        if not self._disk.low:
            at = now_micros()
            self._put([drafts.of_item(SampleItem(at, values), at)])

    def tell_cases(self) -> None:
        """Tell the server the cases that it could not learn itself."""
        if isinstance(self.cases, CasesItem):
            self._put([drafts.of_item(self.cases, now_micros())])

    def tell_output(self, lines: list[tuple[str, str]]) -> None:
        """(stream, text) of what GOLIAT's process wrote outside its log."""
        at = now_micros()
        self._put([drafts.of_output(text, stream, at) for stream, text in lines])

    def alive(self) -> bool:
        """Whether GOLIAT's first process lives."""
        try:
            process = self.process
            return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def processes(self) -> list[psutil.Process]:
        """Everything of this run that lives: the tree, its session, and what bears its mark."""
        session = (self.record.pid, self.record.pid_started) if self.record.pid and self.record.pid_started else None
        found = {process.pid: process for process in process_tree.tree(self.process, session)}
        for process in process_tree.marked(self.folder.path.parent, lambda run_id: run_id == self.run_id):
            found[process.pid] = process
        return list(found.values())

    def collect_all(self) -> None:
        """GOLIAT is gone: take in what is left in the spool and in the results folder."""
        take_spool(self.folder.spool, self.intake)
        with self._looking:
            self.collector.look(final=True)

    def close(self) -> None:
        """Stop the threads; everything stays on disk."""
        self._stop.set()
        self.screenshots.close()
        for thread in self._threads:
            # One that is in the middle of a slow call is left behind: it can acknowledge nothing any more.
            thread.join(timeout=CLOSE_S)
        self.outbox.close()
        self.uploads.close()

    def _put(self, items: list[drafts.Draft]) -> None:
        try:
            self.outbox.put(items)
        except OutboxFull as full:
            log.warning("%s: not kept: %s", self.run_id, full)

    def _heard(self, message: dict[str, Any]) -> None:
        self.spoke = True
        if message.get("type") == "finished" and self.finished_at is None:
            self.finished_at = time.monotonic()

    def _take_spool(self) -> None:
        while not self._stop.wait(self._settings.intervals.spool_s):
            take_spool(self.folder.spool, self.intake)
            # The relay listens by now, so what was said while it did not has been taken in.
            self.outbox.let_go()

    def _collect(self) -> None:
        pruned = time.monotonic()
        while not self._stop.wait(self._settings.intervals.collect_s):
            try:
                with self._looking:
                    self.collector.look()
                if time.monotonic() - pruned > PRUNE_S or self._disk.folding:
                    pruned = time.monotonic()
                    before = now_micros() - int(self._settings.intervals.keep_acknowledged_s * 1_000_000)
                    self.outbox.prune(before, 0 if self._disk.low else self._settings.limits.kept_outbox)
            except (OSError, sqlite3.Error, OutboxFull) as error:
                log.warning("%s: %s", self.run_id, error)
