"""Requests that nobody honest sends: refused in one form, nothing half-written, nothing told of the inside."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.support.app import App

WithApp = Callable[..., None]

UPDATE, BEAT, STUDY, CLAIM = "/api/gui-update", "/api/heartbeat", "/api/super-studies", "/api/agent/v1/claim"

# method, path, body (bytes as they are, anything else as JSON), expected status
REFUSED: list[tuple[str, str, Any, int]] = [
    ("POST", UPDATE, b"", 400),
    ("POST", UPDATE, b"{", 400),
    ("POST", UPDATE, b"[]", 400),
    ("POST", UPDATE, b"null", 400),
    ("POST", UPDATE, b"\xff\xfe", 400),
    ("POST", UPDATE, b'{"machineId":"m","message":{"type":NaN}}', 400),
    ("POST", UPDATE, b"[" * 100_000, 400),
    ("POST", UPDATE, b'{"machineId":"m","message":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", 400),
    ("POST", UPDATE, {"machineId": 5, "message": {"type": "x"}}, 400),
    ("POST", UPDATE, {"machineId": "m"}, 400),
    ("POST", UPDATE, {"machineId": "m", "message": {}}, 400),
    ("POST", UPDATE, {"machineId": "m", "message": {"type": 5}}, 400),
    ("POST", UPDATE, {"message": {"type": "x"}}, 400),
    ("POST", BEAT, b"{", 400),
    ("POST", BEAT, {"machineId": ["m"]}, 400),
    ("POST", BEAT, {"machineId": "m", "cpuCores": "many"}, 400),
    ("POST", STUDY, b'{"name": "x", "baseConfig": [], "assignments": 5}', 400),
    ("POST", STUDY, b"", 400),
    ("POST", CLAIM, b"{}", 401),
    ("POST", "/api/gui-screenshots", b"", 400),
    ("POST", "/api/gui-screenshots", {"machineId": "m"}, 400),
    ("GET", UPDATE, b"", 405),
    ("DELETE", BEAT, b"", 405),
    ("PUT", STUDY, b"", 405),
    ("GET", "/api/agent/v1/runs/x/batch", b"", 401),
    ("GET", "/api/nothing", b"", 404),
    ("GET", "/api/runs/%00", b"", 404),
    ("POST", "/api/agent/v1/runs/%00/batch", b"{}", 404),
    ("GET", "/api/runs/'; DROP TABLE runs; --", b"", 404),
    ("GET", "/api/workers/%F0%9F%92%A9", b"", 404),
    ("GET", "/api/runs?limit=1e9", b"", 400),
    ("GET", "/api/runs?limit=0", b"", 400),
    ("GET", "/api/runs?limit=99999999999999999999", b"", 400),
    ("GET", "/api/runs/x/log?after=-1", b"", 400),
    ("GET", "/api/events?before=9223372036854775808", b"", 400),
    ("GET", "/api/super-studies/x/results/file?path=..%2F..%2Fetc%2Fpasswd", b"", 400),
    ("GET", "/static/../../../etc/passwd", b"", 404),
    ("PATCH", "/api/workers/x", {"wish": "explode"}, 400),
]


def test_refusals_have_one_form(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for method, path, body, status in REFUSED:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = await app.http.request(
                method, path, content=content, headers={"Content-Type": "application/json"} if content else {}
            )
            where = (method, path, content[:60], answer.text[:300])
            assert answer.status_code == status, where
            assert set(answer.json()) >= {"error"}, where
            assert all(isinstance(value, str) for value in answer.json().values()), where
            assert "Traceback" not in answer.text, where
            assert "site-packages" not in answer.text, where
        assert await app.get("/api/workers") == []
        assert await app.get("/api/runs") == []

    with_app(test)


def test_a_refusal_names_things_as_the_caller_does(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for method, path, details in (
            ("POST", BEAT, "send a JSON object as the body"),
            ("GET", "/api/workers?includeStale=perhaps", "includeStale: Expected `bool`, got `str`"),
            ("PUT", "/api/workers", "PUT /api/workers"),
        ):
            answer = await app.http.request(method, path)
            assert answer.json()["details"] == details
        assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
        odd = b'--b\r\nContent-Disposition: form-data; name="files"; filename="\xff"\r\n\r\nx\r\n--b--'
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await app.http.post("/api/gui-screenshots", content=odd, headers=form)
        assert (answer.status_code, answer.json()["details"]) == (400, "Segment header failed to decode")

    with_app(test)


def test_what_is_odd_but_honest_is_taken(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        bodies: list[bytes] = [
            b'{"machineId":"m","message":{"type":"print","message":"a lone \\ud800 and \\udc80 surrogate"}}',
            b'{"machineId":"m","message":{"type":"print","message":"\\u0000 \\ud83d\\ude00"},"timestamp":1e308}',
            b'{"machineId":"m","message":{"type":"overall_progress","current":5,"total":0},"timestamp":"soon"}',
            b'{"machineId":"m","message":{"type":"overall_progress","current":1e308,"total":1e-308}}',
            b'{"machineId":"m","message":{"type":"overall_progress","current":12345678901234567890123,"total":1}}',
            b'{"machineId":"m","message":{"type":"log_batch","logs":[5,null,{"message":[]}],"sequence":-7}}',
            b'{"machineId":"m","message":{"type":"log_batch","logs":"none","sequence":99999999999999999999}}',
            b'{"machineId":"m","message":{"type":"sim_details","count":"x","total":[],"details":{}}}',
            b'{"machineId":"m","message":{"type":"stage_progress","name":5,"current":null,"total":true}}',
            b'{"machineId":"m","message":{"type":"profiler_update","eta_seconds":-1}}',
            b'{"machineId":"m","message":{"type":"profiler_update","eta_seconds":1e300}}',
            b'{"machineId":"m","message":{"type":"start_animation","estimate":1e300,"end_value":{}}}',
            b'{"machineId":"m","message":{"type":"memory_error","exit_code":"x"},"timestamp":-5}',
            b'{"machineId":"../../etc","message":{"type":"<script>alert(1)</script>"}}',
            b'{"machineId":"' + b"x" * 255 + b'","message":{"type":"print","message":"' + b"y" * 200_000 + b'"}}',
        ]
        for body in bodies:
            for path in (UPDATE, UPDATE + "/"):
                answer = await app.http.post(path, content=body)
                assert answer.status_code == 200, (body[:120], answer.text)
        await app.pass_time(60)
        for run in await app.get("/api/runs"):
            await app.get(f"/api/runs/{run['id']}")
            await app.get(f"/api/runs/{run['id']}/log", params={"limit": 10_000})
        for worker in await app.get("/api/workers"):
            await app.get(f"/api/workers/{worker['id']}")
            assert (await app.http.get(f"/workers/{worker['id']}")).status_code == 200

    with_app(test)


def test_too_large_is_413(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        large = b'{"machineId":"m","message":{"type":"x","text":"' + b"x" * (16 * 2**20) + b'"}}'

        async def pieces() -> Any:
            for start in range(0, len(large), 2**20):
                yield large[start : start + 2**20]

        for path in (UPDATE, BEAT):
            for content in (large, pieces()):
                answer = await app.http.post(path, content=content)
                assert answer.status_code == 413, answer.text
                assert answer.json()["error"] == "the request is too large"
        form: list[tuple[str, Any]] = [("machineId", (None, "m")), ("tab", ("t.jpg", b"x" * (25 * 2**20 + 1)))]
        assert (await app.http.post("/api/gui-screenshots", files=form)).status_code == 413
        assert not list((app.services.settings.data_dir / "files" / "incoming").iterdir())
        assert await app.get("/api/workers") == []

    with_app(test)


def test_a_body_that_came_whole_is_refused_without_waiting_for_more(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        whole, sent = [{"type": "http.request", "body": b"[]", "more_body": False}], list[dict[str, Any]]()

        async def receive() -> dict[str, Any]:
            # Nothing follows, as the sender waits for the answer.
            return whole.pop() if whole else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-length", b"2")]
        scope = {"type": "http", "method": "POST", "path": UPDATE, "headers": headers, "query_string": b""}
        async with asyncio.timeout(10):
            await app.asgi(scope, receive, send)
        assert sent[0]["status"] == 400

    with_app(test)


def test_broken_forms_leave_nothing_behind(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        assignment_id = (await app.study())["assignments"][0]["id"]
        await app.post(f"/api/assignments/{assignment_id}/claim", {"machineId": "m"})
        part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        bodies = [b"", b"--b", b"garbage", part, part + b"x", part + b"x\r\n--b", b"--b\r\nX: y\r\n\r\nx\r\n--b--",
                  part + b"x\r\n--b--", (part + b"x\r\n") * 600 + b"--b--"]  # fmt: skip
        wanted = [400, 400, 400, 400, 400, 400, 400, 200, 413]
        for body, status in zip(bodies, wanted, strict=True):
            answer = await app.http.post(
                f"/api/assignments/{assignment_id}/results",
                content=body,
                headers={"Content-Type": "multipart/form-data; boundary=b"},
            )
            assert answer.status_code == status, (body[:80], answer.text)
        assert not list((app.services.settings.data_dir / "files" / "incoming").iterdir())

    with_app(test)


def test_reads_never_write(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        await app.post(f"/api/assignments/{study['assignments'][0]['id']}/claim", {"machineId": "m"})
        await app.lines("m", 0, "one")
        sent = await app.http.post(
            f"/api/assignments/{study['assignments'][0]['id']}/results",
            data={"relativePath": "a"}, files={"files": ("b.txt", b"x")},
        )  # fmt: skip
        assert sent.status_code == 200
        await app.pass_time(20)
        run_id = (await app.get("/api/runs"))[0]["id"]

        def version() -> int:
            """A number that each write to the database changes."""
            with app.services.db.read_engine.connect() as connection:
                sqlite = connection.dialect.name == "sqlite"
                asked = "PRAGMA data_version" if sqlite else "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
                return int(connection.exec_driver_sql(asked).scalar_one())

        before, events = version(), await app.get("/api/events")
        app.clock.now += 3600 * 10**6
        for path in (
            "/", "/workers", "/studies", "/api/workers", "/api/workers/m", "/api/heartbeat?ipAddress=m",
            "/api/super-studies", f"/api/super-studies/{study['id']}", f"/api/super-studies/{study['id']}/assignments",
            "/api/runs", f"/api/runs/{run_id}", f"/api/runs/{run_id}/log", f"/api/runs/{run_id}/screenshots",
            f"{study['assignments'][0]['configUrl']}", f"/api/super-studies/{study['id']}/results/list",
            f"/api/super-studies/{study['id']}/results/file?path=a/b.txt",
            f"/api/super-studies/{study['id']}/results/download",
        ):  # fmt: skip
            assert (await app.http.get(path)).status_code == 200, path
        assert version() == before
        assert await app.get("/api/events") == events
        await app.lines("m", 1, "two")
        assert version() != before, "the version tells of writes"

    with_app(test)
