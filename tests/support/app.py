"""The server in this process: real database, real storage, a clock that the test moves."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from goliat_monitoring.server.app import create_app
from goliat_monitoring.server.main import Lifespan
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.store import sweep
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.support.studies import new_study


class Clock:
    """UTC microseconds that only pass when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    @property
    def seconds(self) -> float:
        """As a sender writes it."""
        return self.now / SECOND


@dataclass
class App:
    """The server and a client of it."""

    services: Services
    clock: Clock
    http: httpx.AsyncClient
    asgi: Any

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Another client, with headers or an address of its own."""
        options.setdefault("base_url", "http://localhost")
        address = options.pop("address", "127.0.0.1")
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.asgi, client=(address, 1234)), **options)

    async def sweep(self) -> None:
        """Do what is due now."""
        moment = self.services.moment()
        await self.services.db.write(lambda c: sweep.sweep(c, moment))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and look once at its end."""
        self.clock.now += round(seconds * SECOND)
        await self.sweep()

    async def post(self, path: str, body: object, **options: Any) -> Any:
        """POST JSON, insist on exactly 200."""
        answer = await self.http.post(path, json=body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str, **options: Any) -> Any:
        """GET JSON, insist on exactly 200."""
        answer = await self.http.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def study(self, name: str = "study", parts: int = 1, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """A new super study."""
        return dict(await self.post("/api/super-studies", new_study(name, parts, config)))

    async def gui(self, machine_id: str, **message: object) -> None:
        """One message of a GOLIAT window, sent now."""
        await self.post(
            "/api/gui-update", {"machineId": machine_id, "message": message, "timestamp": self.clock.seconds}
        )

    async def lines(self, machine_id: str, sequence: int, *texts: str, level: str = "default") -> None:
        """A batch of log lines, written now."""
        logs = [
            {"type": "status", "message": text, "log_type": level, "timestamp": self.clock.seconds} for text in texts
        ]
        await self.gui(machine_id, type="log_batch", logs=logs, sequence=sequence)

    async def agent(self, name: str = "gpu-1") -> "AgentCalls":
        """An enrolled agent with an open session."""
        agent = AgentCalls(self, name)
        await agent.enrol()
        await agent.open_session()
        return agent


class AgentCalls:
    """What an agent says, over HTTP."""

    def __init__(self, app: App, name: str) -> None:
        self.app = app
        self.fingerprint = wire.Fingerprint(machine_id=name, hostname=name, boot_id="boot-1")
        self.worker_id = ""
        self.session_id = ""
        self.http = app.client()
        self.job: wire.Job | None = None

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """One call with this agent's credential, and the fence of its job."""
        headers = {wire.FENCE_HEADER: self.job.fence} if self.job else {}
        content = options.pop("content", None if body is None else msgspec.json.encode(body))
        headers.update(options.pop("headers", {}))
        return await self.http.request(method, f"/api/agent/v1/{path}", content=content, headers=headers, **options)

    async def enrol(self) -> None:
        """Get an identity and a credential."""
        asked = wire.Enrol(fingerprint=self.fingerprint, facts=wire.Facts(hostname=self.fingerprint.hostname))
        answer = await self.call("POST", "enrol", asked)
        assert answer.status_code == 200, answer.text
        enrolled = msgspec.json.decode(answer.content, type=wire.Enrolled)
        self.worker_id = enrolled.worker_id
        self.http.headers["Authorization"] = f"Bearer {enrolled.credential}"

    async def open_session(self) -> None:
        """Begin a life."""
        asked = wire.OpenSession(self.fingerprint, wire.Facts(), self.app.clock.now)
        answer = await self.call("POST", "session", asked)
        assert answer.status_code == 200, answer.text
        self.session_id = msgspec.json.decode(answer.content, type=wire.SessionOpened).session_id

    async def claim(self, wait_s: float = 0) -> wire.Claimed:
        """Ask for work and keep the job."""
        answer = await self.call("POST", "claim", wire.Claim(session_id=self.session_id, wait_s=wait_s))
        assert answer.status_code == 200, answer.text
        claimed = msgspec.json.decode(answer.content, type=wire.Claimed)
        self.job = claimed.job
        return claimed

    async def send(self, offset: int, *items: wire.Item, stream: str = "s1") -> wire.Accepted:
        """Deliver items of the job's stream."""
        assert self.job is not None
        answer = await self.call("POST", f"runs/{self.job.run_id}/batch", wire.Batch(stream, offset, list(items)))
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=wire.Accepted)

    def line(self, text: str, level: str = "default") -> wire.LineItem:
        """A log line written now."""
        return wire.LineItem(time=self.app.clock.now, level=level, source="status", text=text)

    async def upload(self, path: str, name: str, content: bytes, **params: str) -> httpx.Response:
        """Deliver one result file."""
        assert self.job is not None
        return await self.call(
            "PUT", f"runs/{self.job.run_id}/artifacts", content=content, params={"path": path, "name": name, **params}
        )


@asynccontextmanager
async def running_app(data_dir: Path, **options: Any) -> AsyncIterator[App]:
    """The server on `data_dir`; `options` are settings."""
    clock = Clock()
    options.setdefault("quiet_s", 0.0)
    options.setdefault("writer_process", False)
    asgi = create_app(Settings(data_dir=data_dir, **options), clock, sweeping=False)
    # What is known is answered at once, however slow the machine: else a test sees the answer before.
    asgi.services.outlooks.apart_s = math.inf
    async with Lifespan(asgi):
        app = App(asgi.services, clock, None, asgi)  # type: ignore[arg-type]
        app.http = app.client()
        async with app.http:
            yield app


def in_app(data_dir: Path, test: Callable[[App], Awaitable[None]], **options: Any) -> None:
    """Run one asynchronous test against the server."""

    async def run() -> None:
        async with running_app(data_dir, **options) as app:
            await test(app)

    asyncio.run(run())
