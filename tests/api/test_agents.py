"""The agent's calls over HTTP: identity, work, exactly-once batches, files, the end of a run."""

import asyncio
import hashlib
import time
from collections.abc import Callable

import msgspec

from goliat_monitoring.wire import agent as wire
from tests.support.app import App
from tests.support.studies import PATHS

WithApp = Callable[..., None]


def test_a_whole_run(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        agent = await app.agent()
        claimed = await agent.claim()
        job = claimed.job
        assert job is not None
        assert job.study_name == "study"
        assert [case.relative_path for case in job.cases] == PATHS
        beat = wire.Beat(agent.session_id, app.clock.now, run=wire.RunSummary(run_id=job.run_id))
        reply = await agent.call("POST", "heartbeat", beat)
        assert reply.json()["leaseS"] == 600
        first = await agent.send(0, agent.line("one"), agent.line("two", "warning"))
        assert first.next == 2
        assert (await agent.send(0, agent.line("one"), agent.line("two"))).next == 2
        await agent.send(2, wire.MessageItem(app.clock.now, {"type": "overall_progress", "current": 1, "total": 2}))
        for path in PATHS:
            answer = await agent.upload(
                path, "sar_results.json", path.encode(), sha256=hashlib.sha256(path.encode()).hexdigest()
            )
            assert answer.status_code == 200, answer.text
        shot = await agent.call(
            "PUT", f"runs/{job.run_id}/screenshots", content=b"\xff\xd8", params={"tab": "Disk_I/O"}
        )
        assert shot.status_code == 200
        manifest = [(path, "sar_results.json", hashlib.sha256(path.encode()).hexdigest()) for path in PATHS]
        end = wire.End("exited", 0, app.clock.now, "s1", 3, manifest=manifest)
        ended = await agent.call("POST", f"runs/{job.run_id}/end", end)
        assert ended.status_code == 200, ended.text
        assert ended.json()["state"] == "succeeded"
        done = await app.get(f"/api/super-studies/{study['id']}")
        assert (done["status"], done["masterProgress"], done["completedAssignments"]) == ("COMPLETED", 100, 1)
        log = await app.get(f"/api/runs/{job.run_id}/log")
        assert [line["text"] for line in log["lines"]][:2] == ["one", "two"]
        assert [line["n"] for line in log["lines"]] == list(range(1, log["total"] + 1))
        detail = await app.get(f"/api/runs/{job.run_id}")
        assert detail["run"]["percent"] == 50
        kinds = {event["kind"] for event in await app.get("/api/events", params={"runId": job.run_id})}
        assert {"run_claimed", "run_succeeded"} <= kinds

    with_app(test)


def test_the_server_sets_the_pace(with_app: WithApp) -> None:
    """A heartbeat every 5 s, and a question for work every 10 s where the answer is not held open."""

    async def test(app: App) -> None:
        agent = await app.agent()
        again = wire.OpenSession(agent.fingerprint, wire.Facts(), app.clock.now)
        opened = (await agent.call("POST", "session", again)).json()
        assert (opened["heartbeatS"], opened["askS"]) == (5, 10)
        beat = await agent.call("POST", "heartbeat", wire.Beat(opened["sessionId"], app.clock.now))
        assert beat.json()["nextS"] == 5
        asked = await agent.call("POST", "claim", wire.Claim(opened["sessionId"], 0))
        assert asked.json()["nextS"] == 10
        assert "job" not in asked.json()

    with_app(test)


def test_a_batch_with_a_hole_is_refused_and_says_what_is_next(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        answer = await agent.call("POST", f"runs/{job.run_id}/batch", wire.Batch("s1", 5, [agent.line("x")]))
        assert answer.status_code == 409
        assert answer.json()["next"] == 0

    with_app(test)


def test_an_agent_speaks_only_for_itself(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study(parts=2)
        first, second = await app.agent("one"), await app.agent("two")
        job = (await first.claim()).job
        assert job is not None
        await second.claim()
        for fence in (job.fence, "wrong", ""):
            headers = {wire.FENCE_HEADER: fence}
            answer = await second.call(
                "POST", f"runs/{job.run_id}/batch", wire.Batch("s", 0, [second.line("x")]), headers=headers
            )
            assert answer.status_code == 409
            assert answer.json()["fenced"] is True
        foreign = await second.call(
            "PUT", f"runs/{job.run_id}/artifacts", content=b"x", params={"path": "", "name": "a"},
            headers={wire.FENCE_HEADER: job.fence},
        )  # fmt: skip
        assert foreign.status_code == 409
        assert (await second.call("POST", "runs/nope/batch", wire.Batch("s", 0, []))).status_code == 404
        for method, path in (("GET", "/api/workers"), ("DELETE", "/api/workers/x"), ("GET", "/")):
            assert (await second.http.request(method, path)).status_code == 403
        anyone = await app.http.post("/api/agent/v1/claim", json={"sessionId": first.session_id})
        assert anyone.status_code == 401

    with_app(test)


def test_what_no_honest_agent_sends_fails_alone(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study(config={"extends": "base.json"})
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        twice = [wire.CaseRef("duke/700MHz/a", "far_field/duke/700MHz/a")] * 2
        assert (await agent.send(0, wire.CasesItem(twice, {}), agent.line("after"))).next == 2
        assert (await app.get(f"/api/assignments/{job.assignment_id}"))["expectedTotal"] == 1
        far = 2**63
        for method, path, body in (
            ("POST", "heartbeat", wire.Beat(agent.session_id, far)),
            ("POST", "session", wire.OpenSession(agent.fingerprint, wire.Facts(), far * 2)),
            ("POST", f"runs/{job.run_id}/batch", wire.Batch("s1", 2, [wire.LineItem(far, "info", "status", "x")])),
            ("PUT", f"runs/{job.run_id}/screenshots?tab=Timings&at={far}", b"jpeg"),
        ):
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
            answer = await agent.call(method, path, content=content)
            assert answer.status_code in (200, 400), (path, answer.text)
            if answer.status_code == 400:
                assert answer.json()["error"] == "the request holds what the database cannot store"
        assert (await agent.send(2, agent.line("goes on"))).next >= 3

    with_app(test)


def test_a_damaged_or_misnamed_file_is_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        await agent.claim()
        assert (await agent.upload(PATHS[0], "a.json", b"x", sha256="0" * 64)).status_code == 400
        assert (await agent.upload("../x", "a.json", b"x")).status_code == 400
        assert (await agent.upload(PATHS[0], "a/b", b"x")).status_code == 400
        files = app.services.settings.data_dir / "files"
        assert not [path for path in files.rglob("*") if path.is_file()]

    with_app(test)


def test_a_waiting_claim_gets_new_work_at_once(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await app.agent()
        assert (await agent.claim()).job is None
        waiting = asyncio.create_task(agent.claim(wait_s=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        began = time.monotonic()
        await app.study()
        assert (await waiting).job is not None
        assert time.monotonic() - began < 3

    with_app(test)


def test_a_person_stops_a_run(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        assert (await app.post(f"/api/runs/{job.run_id}/stop", {"kill": False}))["directive"] == "stop"
        assert (await agent.send(0, agent.line("x"))).directive == "stop"
        assert (await app.post(f"/api/runs/{job.run_id}/stop", {"kill": True}))["directive"] == "kill"
        assert (await app.http.post("/api/runs/nope/stop", json={})).status_code == 404

    with_app(test)


def test_an_enrolment_token_works_once(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        async with app.client(headers={"Authorization": "Bearer an-admin-token-of-length"}) as admin:
            made = (await admin.post("/api/enrolment-tokens", json={"hours": 1})).json()
        asked = {"fingerprint": {"machineId": "m", "hostname": "h", "bootId": "b"}, "facts": {}}
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert (await app.http.get("/api/workers", headers=headers)).status_code == 403
        assert (await app.http.post("/api/agent/v1/enrol", json=asked)).status_code == 401
        first = await app.http.post("/api/agent/v1/enrol", json=asked, headers=headers)
        assert first.status_code == 200, first.text
        assert (await app.http.post("/api/agent/v1/enrol", json=asked, headers=headers)).status_code == 401
        own = {"Authorization": f"Bearer {first.json()['credential']}"}
        opened = {"fingerprint": asked["fingerprint"], "facts": {}, "sentAt": app.clock.now}
        assert (await app.http.post("/api/agent/v1/session", json=opened, headers=own)).status_code == 200

    with_app(test, admin_token="an-admin-token-of-length")


def test_an_expired_enrolment_token_is_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        admin = {"Authorization": "Bearer an-admin-token-of-length"}
        made = (await app.http.post("/api/enrolment-tokens", json={"hours": 1}, headers=admin)).json()
        app.clock.now += 3601 * 10**6
        asked = {"fingerprint": {"machineId": "m", "hostname": "h", "bootId": "b"}, "facts": {}}
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert (await app.http.post("/api/agent/v1/enrol", json=asked, headers=headers)).status_code == 401

    with_app(test, admin_token="an-admin-token-of-length")
