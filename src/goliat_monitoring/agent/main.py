"""The agent: asks for work, carries one run at a time from its claim to its delivery, and begins again.

Everything of a run is on disk before it matters, so that at each point the agent may die: the next one goes on with
what it finds.
"""

import logging
import secrets
import signal
import sqlite3
import threading
import time

from goliat_monitoring.agent import facts as machine
from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.delivery import deliver
from goliat_monitoring.agent.disk import Disk
from goliat_monitoring.agent.gpus import Gpus
from goliat_monitoring.agent.guard import keep_going
from goliat_monitoring.agent.identity import Enrolment
from goliat_monitoring.agent.job import Ending, Folder, Record, all_folders, tidy
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.link import Carried, Link
from goliat_monitoring.agent.listener import Listener
from goliat_monitoring.agent.probe import Goliat, probe
from goliat_monitoring.agent.relay import Relay
from goliat_monitoring.agent.run import Run
from goliat_monitoring.agent.settings import AgentSettings
from goliat_monitoring.agent.statedir import Lock, StateDirInUse, read_json, write_json
from goliat_monitoring.agent.supervisor import Supervisor, end_orphans
from goliat_monitoring.agent.vitals import Vitals
from goliat_monitoring.wire.agent import Claim, Job
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)


def run_agent(settings: AgentSettings, stop: threading.Event | None = None) -> int:
    """Run until SIGTERM, SIGINT or `stop`; GOLIAT goes on then, and the next agent takes it over.

    The exit code: 0, or 1 when the server refuses this agent, the state dir is in use, GOLIAT cannot be started
    (with `once`), or the one run of `once` did not succeed.
    """
    try:
        lock = Lock(settings.state_dir)
    except StateDirInUse as error:
        log.error("%s", error)
        return 1
    # A line for each request would drown what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        # The last one is what Windows sends to a service's process group.
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if number := getattr(signal, name, None):
                signal.signal(number, lambda *_: stop.set())
    try:
        return Agent(settings, stop).run()
    finally:
        lock.release()


class Agent:
    """One life of an agent."""

    def __init__(self, settings: AgentSettings, stop: threading.Event) -> None:
        intervals = settings.intervals
        self._settings = settings
        self._stop = stop
        self._runs = settings.state_dir / "runs"
        self._runs.mkdir(parents=True, exist_ok=True)
        self._server = Server(settings.server, intervals.stall_s)
        self._lease = Lease(intervals.sleep_gap_s)
        self._disk = Disk(settings.state_dir, settings.workdir, settings.limits)
        self._gpus = Gpus()
        self._run: Run | None = None
        self._goliat: Goliat | None = None
        self._again = threading.Event()
        self._cleared = False
        self._vitals = Vitals(self._gpus, self._disk, intervals, self._sample)
        self._relay = Relay(settings.state_dir)
        self._link: Link | None = None

    def run(self) -> int:
        """Take over what is there, then claim and carry run after run."""
        settings = self._settings
        unfinished = self._unfinished()
        if not unfinished:
            self._goliat = self._ask_goliat()
            if self._goliat is None and settings.once:
                return 1
        self._link = link = self._make_link()
        listener = Listener(link, self._server, settings.intervals, self._stop)
        threads = [
            threading.Thread(target=keep_going, args=(work, self._stop), name=name, daemon=True)
            for name, work in (
                ("vitals", lambda: self._vitals.run(self._stop)),
                ("link", link.run),
                ("listener", listener.run),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            return self._work(link, unfinished)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(timeout=5.0)
            # What is unfinished is the next agent's; then this one did not leave, it only paused.
            if not self._unfinished():
                link.leave()
            self._relay.close()
            self._server.close()

    def _make_link(self) -> Link:
        settings, intervals = self._settings, self._settings.intervals
        version = self._goliat.version if self._goliat else ""
        enrolment = Enrolment(
            settings.state_dir,
            self._server,
            machine.fingerprint(),
            machine.facts(self._gpus, settings.tags, version),
            token=settings.token,
            label=settings.label,
            pause=self._stop.wait,
            backoff=Backoff(intervals.retry_s, intervals.retry_cap_s),
        )
        self._enrolment = enrolment
        return Link(
            enrolment,
            self._server,
            self._lease,
            intervals,
            stop=self._stop,
            vitals=lambda: self._vitals.latest,
            notes=self._notes,
            new_epoch=self._new_epoch,
        )

    def _work(self, link: Link, unfinished: list[tuple[Folder, Record]]) -> int:
        for folder, record in unfinished:
            state = self._carry(folder, record, fresh=False)
            if self._stop.is_set():
                return 0
            if self._settings.once:
                return 0 if state == "succeeded" else 1
        # One that was asked to stop after the run at hand ends here.
        while not self._stop.is_set() and link.wish != "stopping":
            self._deliver_again()
            job, wait = self._claim(link)
            if job is not None:
                record = Record(job, self._enrolment.worker_id or "", secrets.token_urlsafe(24))
                record.started_at = time.time()
                state = self._carry(Folder(self._runs, job.run_id), record, fresh=True)
                if self._settings.once and not self._stop.is_set():
                    return 0 if state == "succeeded" else 1
                continue
            if link.refused:
                return 1
            if self._settings.once and wait is None:
                return 0
            self._stop.wait(self._settings.intervals.retry_s if wait is None else wait)
        return 0

    def _may_claim(self, link: Link) -> bool | None:
        """Whether to ask for work now; None where something has to come first."""
        if not link.ready.wait(self._settings.intervals.retry_s) or link.session is None:
            return None
        self._goliat = self._goliat or self._ask_goliat()
        # A paused one asks as well: that call is answered the moment it is resumed.
        return self._goliat is not None and not self._disk.low and link.wish != "stopping"

    def _claim(self, link: Link) -> tuple[Job | None, float | None]:
        """A job, or how long to wait before the next try; (None, None) where there is no work to be had."""
        intervals, once = self._settings.intervals, self._settings.once
        allowed, session = self._may_claim(link), link.session
        if allowed is None or session is None:
            return None, 0.0
        if not allowed:
            # With `once` there is nothing to wait for.
            return None, None if once else intervals.ask_s
        if not self._cleared:
            end_orphans(self._runs, None, intervals.term_grace_s)
            self._cleared = True
        if not self._lease.wait_renewed(intervals.retry_s):
            return None, 0.0
        asked_at = time.monotonic()
        try:
            claimed = self._server.claim(Claim(session.session_id, 0.0 if once else intervals.claim_wait_s))
        except Unreachable as error:
            log.info("no answer to the claim: %s", error)
            return None, error.retry_after or intervals.retry_s
        except Refused as refused:
            return None, self._refused_claim(link, refused)
        link.saw_epoch(claimed.epoch)
        link.wish = claimed.wish
        # The time for which the server held the call was waiting, too.
        waited = time.monotonic() - asked_at
        return claimed.job, None if once else max(0.0, min(claimed.next_s, 300.0) - waited)

    def _refused_claim(self, link: Link, refused: Refused) -> float:
        if refused.extra.get("sessionEnded") or refused.status in (401, 403, 404):
            link.lost_session()
            return self._settings.intervals.retry_s
        log.warning("no work is given: %s %s", refused.error, refused.details)
        return self._settings.intervals.ask_s

    def _carry(self, folder: Folder, record: Record, *, fresh: bool) -> str:
        """One run from here to its delivery; the server's verdict, empty if there is none yet."""
        try:
            folder.create()
            if fresh:
                folder.save(record)
            run = Run(record, folder, settings=self._settings, server=self._server, lease=self._lease, disk=self._disk)
        except (OSError, sqlite3.Error) as error:
            # Nothing can be kept, so nothing is run; the lease ends by itself.
            log.error("run %s cannot be carried: %s", record.job.run_id, error)
            self._stop.wait(self._settings.intervals.ask_s)
            return ""
        self._run = run
        self._cleared = False
        run.start(self._relay)
        if self._link:
            self._link.carry(Carried(run.run_id, record.job.fence, run.orders, run.alive, lambda: run.outbox.backlog))
        try:
            return self._carry_through(run, fresh=fresh)
        finally:
            self._run = None
            if self._link:
                self._link.carry(None)
            self._relay.shut(run.run_id)
            run.close()
            self._tidy()

    def _carry_through(self, run: Run, *, fresh: bool) -> str:
        record = run.record
        if record.phase == "claimed" and self._stop.is_set():
            # Granted while the agent was told to end: the next one starts it.
            return ""
        if record.ending is None:
            supervisor = Supervisor(run, self._settings, self._stop)
            ending = self._begin(run, supervisor, fresh=fresh) or supervisor.watch()
            if ending is None:
                # Refused from now on, so that the hook keeps for the next agent what this one can no longer take.
                self._relay.close()
                run.note("The agent is told to end; GOLIAT goes on without it.")
                return ""
            record.ending = ending
            record.phase = "ended"
            run.save()
        deliver(run, self._server, self._settings.intervals, self._stop)
        return record.state

    def _begin(self, run: Run, supervisor: Supervisor, *, fresh: bool) -> Ending | None:
        job = run.record.job
        if not fresh and run.record.phase != "claimed":
            return supervisor.take_over()
        run.note(f"Claimed assignment {job.index} of {job.study_name}, attempt {job.attempt}.")
        run.tell_cases()
        goliat = self._goliat or self._ask_goliat() or Goliat("", auto_close=True, version="")
        return supervisor.start(goliat, self._relay.address(run.run_id))

    def _unfinished(self) -> list[tuple[Folder, Record]]:
        """Runs that an earlier agent left, those with a live GOLIAT first."""
        found = [(folder, record) for folder in all_folders(self._runs) if (record := folder.load())]
        return sorted(
            ((folder, record) for folder, record in found if record.phase not in ("delivered", "set_aside")),
            key=lambda pair: pair[1].ending is not None,
        )

    def _new_epoch(self, epoch: str) -> None:
        file = self._settings.state_dir / "server.json"
        known = read_json(file)
        known_epoch = known.get("epoch") if isinstance(known, dict) else None
        if known_epoch == epoch:
            return
        write_json(file, {"epoch": epoch})
        if known_epoch is not None:
            log.warning("the server has another past than before (restored?); offering again what is kept here")
            self._again.set()
            if run := self._run:
                run.shipper.verify()
                run.uploader.verify()

    def _deliver_again(self) -> None:
        """After the server lost part of its past: what it may lack of runs that were delivered already."""
        if not self._again.is_set():
            return
        self._again.clear()
        for folder in all_folders(self._runs):
            record = folder.load()
            if record is None or record.ending is None or self._stop.is_set():
                continue
            try:
                run = Run(
                    record, folder, settings=self._settings, server=self._server, lease=self._lease, disk=self._disk
                )
            except (OSError, sqlite3.Error) as error:
                log.warning("run %s cannot be offered again: %s", record.job.run_id, error)
                continue
            run.shipper.verify()
            run.uploader.verify()
            run.start(self._relay)
            try:
                deliver(run, self._server, self._settings.intervals, self._stop)
            finally:
                self._relay.shut(run.run_id)
                run.close()

    def _tidy(self) -> None:
        before = time.time() - self._settings.intervals.keep_acknowledged_s
        tidy(self._runs, before, self._settings.limits.kept_outbox)

    def _ask_goliat(self) -> Goliat | None:
        settings = self._settings
        found = probe(settings.goliat_command, settings.workdir, settings.state_dir / "goliat.json")
        if found is None:
            log.error("GOLIAT cannot be started with %s", " ".join(settings.goliat_command))
        return found

    def _notes(self) -> list[str]:
        notes = ["disk_low"] if self._disk.low else []
        if self._goliat is None and self._run is None:
            notes.append("no_goliat")
        return notes

    def _sample(self, values: dict[str, float]) -> None:
        if (run := self._run) and run.record.ending is None:
            run.sample(values)
