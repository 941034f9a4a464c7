"""An agent's calls to a real server, one after another: for tests that look at what people see of its runs."""

import time

import httpx
import msgspec

from goliat_monitoring.wire import agent as wire


class Agent:
    """An enrolled machine with an open session. Its clock is the real one."""

    def __init__(self, url: str, name: str, vram_gb: float = 24.0, **facts: object) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/agent/v1", timeout=20, trust_env=False)
        self.job: wire.Job | None = None
        self.offset = 0
        known = wire.Facts(hostname=name, gpu_name="NVIDIA RTX 4090", vram_bytes=round(vram_gb * 1e9), **facts)  # type: ignore[arg-type]
        self.fingerprint = wire.Fingerprint(machine_id=name, hostname=name, boot_id="boot-1")
        asked = wire.Enrol(fingerprint=self.fingerprint, facts=known)
        enrolled = msgspec.json.decode(self._call("POST", "enrol", asked).content, type=wire.Enrolled)
        self.worker_id = enrolled.worker_id
        self.http.headers["Authorization"] = f"Bearer {enrolled.credential}"
        opened = self._call("POST", "session", wire.OpenSession(self.fingerprint, known, now()))
        self.session_id = msgspec.json.decode(opened.content, type=wire.SessionOpened).session_id

    def close(self) -> None:
        """Say nothing more."""
        self.http.close()

    def claim(self) -> wire.Job:
        """Ask for work, which there must be."""
        self.job = None
        answer = self._call("POST", "claim", wire.Claim(session_id=self.session_id, wait_s=0))
        self.job = msgspec.json.decode(answer.content, type=wire.Claimed).job
        assert self.job is not None, "there was no work for this agent"
        self.offset = 0
        return self.job

    def say(self, *texts: str, level: str = "default") -> None:
        """Log lines, written now."""
        self._send(*(wire.LineItem(time=now(), level=level, source="status", text=text) for text in texts))

    def tell(self, **message: object) -> None:
        """A message of GOLIAT's window."""
        self._send(wire.MessageItem(now(), message))

    def simulate(self, number: int, total: int, *, done: bool = True) -> None:
        """One simulation, proven by its last line; without `done` it is under way."""
        assert self.job is not None
        details = self.job.cases[number].details
        self.tell(type="sim_details", count=number + 1, total=total, details=details)
        self.say(f"--- Processing Simulation {number + 1}/{total}: {details} ---")
        if not done:
            self.tell(type="stage_progress", name="Running Simulation", current=40, total=100)
            return
        time.sleep(0.3)
        self.upload(number, "sar_results.json", b'{"peak_sar": 1}')

    def upload(self, number: int, name: str, content: bytes) -> None:
        """A result file of a simulation."""
        assert self.job is not None
        params = {"path": self.job.cases[number].relative_path, "name": name}
        self._call("PUT", f"runs/{self.job.run_id}/artifacts", content=content, params=params)

    def end(self, exit_code: int = 0) -> str:
        """The process ended. Returns what the server makes of it."""
        assert self.job is not None
        said = wire.End("exited", exit_code, now(), "s1", self.offset)
        answer = self._call("POST", f"runs/{self.job.run_id}/end", said)
        return str(answer.json()["state"])

    def _send(self, *items: wire.Item) -> None:
        assert self.job is not None
        self._call("POST", f"runs/{self.job.run_id}/batch", wire.Batch("s1", self.offset, list(items)))
        self.offset += len(items)

    def _call(
        self, method: str, path: str, body: object = None, *, content: bytes | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:  # fmt: skip
        headers = {wire.FENCE_HEADER: self.job.fence} if self.job is not None else {}
        sent = content if content is not None else msgspec.json.encode(body)
        answer = self.http.request(method, path, content=sent, headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        return answer


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000
