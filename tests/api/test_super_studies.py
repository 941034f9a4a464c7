"""Super studies and assignments: creation, claims, configs, deletion."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.app import App
from tests.support.studies import CONFIG, PATHS, new_study

WithApp = Callable[..., None]


def test_study_has_the_old_fields(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        made = await app.study("Family at 700", parts=3)
        assert {"id", "name", "totalAssignments", "completedAssignments", "masterProgress"} <= made.keys()
        assert (made["totalAssignments"], made["completedAssignments"], made["status"]) == (3, 0, "PENDING")
        [listed] = await app.get("/api/super-studies", params={"name": "Family at 700"})
        assert listed["id"] == made["id"]
        assert [part["status"] for part in listed["assignments"]] == ["PENDING"] * 3
        assert await app.get("/api/super-studies", params={"name": "nothing"}) == []
        parts = await app.get(f"/api/super-studies/{made['id']}/assignments")
        assert [part["index"] for part in parts] == [0, 1, 2]
        assert parts[0]["splitConfig"] == CONFIG
        assert parts[0]["worker"] is None
        assert (await app.get(f"/api/super-studies/{made['id']}"))["baseConfig"] == CONFIG
        assert (await app.http.get("/api/super-studies/nope")).status_code == 404
        assert (await app.http.get("/api/super-studies/nope/assignments")).status_code == 404

    with_app(test)


def test_key_order_of_a_config_is_kept(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        config = {"zebra": 1, **CONFIG, "alpha": {"b": 1.0, "a": [1, "é\n"]}}
        made = await app.study("ordered", config=config)
        assignment = made["assignments"][0]
        assert list(assignment["splitConfig"]) == list(config)
        answer = await app.http.get(assignment["configUrl"])
        assert list(json.loads(answer.text)) == list(config)
        assert json.loads(answer.text) == config
        assert 'filename="ordered_assignment_0.json"' in answer.headers["content-disposition"]

    with_app(test)


def test_names_are_unique_and_safe_in_a_path(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study("one")
        taken = await app.http.post("/api/super-studies", json=new_study("ONE"))
        assert taken.status_code == 409
        assert taken.json()["free"]
        for name in ("", "..", "a/b", "a\\b", "con", "x" * 500, "a\x00b", ".hidden"):
            refused = await app.http.post("/api/super-studies", json=new_study(name))
            assert refused.status_code == 400, name
        bodies: list[Any] = [{}, {"name": "x"}, {"name": "x", "baseConfig": {}, "assignments": []}, []]
        for body in bodies:
            assert (await app.http.post("/api/super-studies", json=body)).status_code == 400

    with_app(test)


def test_a_config_that_is_nested_without_end_is_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for levels, status in ((99, 200), (100, 400), (10_000, 400)):
            text = json.dumps(new_study(f"study {levels}", config={**CONFIG, "deep": "HERE"}))
            body = text.replace('"HERE"', "[" * levels + "]" * levels)
            answer = await app.http.post("/api/super-studies", content=body)
            assert (answer.status_code, levels) == (status, levels), answer.text[:300]
        assert len(await app.get("/api/super-studies")) == 1

    with_app(test, writer_process=True)


def test_claim_by_name(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        assignment = (await app.study())["assignments"][0]
        url = f"/api/assignments/{assignment['id']}/claim"
        held = await app.post(url, {"machineId": "alpha"})
        assert held["status"] == "RUNNING"
        assert held["state"] == "ASSIGNED"
        assert held["worker"]["ipAddress"] == "alpha"
        again = await app.post(url, {"machineId": "alpha"})
        assert again["runId"] == held["runId"]
        refused = await app.http.post(url, json={"machineId": "beta"})
        assert refused.status_code == 409
        assert "alpha" in refused.text
        assert (await app.http.post(url, json={})).status_code == 400
        assert (await app.http.post("/api/assignments/nope/claim", json={"machineId": "a"})).status_code == 404

    with_app(test)


def test_the_one_get_that_claims(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        params = {"machineId": "alpha"}
        nothing = await app.http.get("/api/assignment", params=params)
        assert nothing.status_code == 204
        assert nothing.headers["cache-control"] == "no-store"
        await app.study(parts=2)
        first = await app.http.get("/api/assignment", params=params)
        assert first.headers["cache-control"] == "no-store"
        assert first.json()["index"] == 0
        assert (await app.http.get("/api/assignment", params=params)).json()["id"] == first.json()["id"]
        other = await app.http.get("/api/assignment", params={"machineId": "beta"})
        assert other.json()["index"] == 1
        assert (await app.http.get("/api/assignment", params={"machineId": "gamma"})).status_code == 204
        assert (await app.http.get("/api/assignment")).status_code == 400
        foreign = await app.http.get("/api/assignment", params=params, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403

    with_app(test)


def test_deleted_study_is_gone_with_its_files_and_live_work_protects_it(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        first, second = await app.study("first"), await app.study("second")
        assignment = first["assignments"][0]["id"]
        await app.post(f"/api/assignments/{assignment}/claim", {"machineId": "alpha"})
        form: list[tuple[str, Any]] = [("relativePath", (None, PATHS[0])), ("files", ("a.json", b"{}"))]
        assert (await app.http.post(f"/api/assignments/{assignment}/results", files=form)).status_code == 200
        live = await app.http.delete(f"/api/super-studies/{first['id']}")
        assert live.status_code == 409
        [run] = await app.get("/api/runs", params={"assignmentId": assignment})
        await app.post(f"/api/runs/{run['id']}/give-up", {"reason": "test"})
        files = app.services.settings.data_dir / "files" / "artifacts"
        assert [path for path in files.rglob("*") if path.is_file()]
        gone = await app.http.delete(f"/api/super-studies/{first['id']}")
        assert gone.json()["success"] is True
        assert not [path for path in files.rglob("*") if path.is_file()]
        assert (await app.http.delete("/api/super-studies", params={"id": second["id"]})).status_code == 200
        assert await app.get("/api/super-studies") == []
        assert (await app.http.delete(f"/api/super-studies/{second['id']}")).status_code == 404
        assert (await app.http.delete("/api/super-studies")).status_code == 400

    with_app(test)
