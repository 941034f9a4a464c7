"""The config library: what it takes, what studies are resolved from, and that they keep it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app import App
from tests.support.studies import CONFIG

WithApp = Callable[..., None]
BASE: dict[str, Any] = CONFIG | {"phantoms": ["duke", "ella"]}


async def put(app: App, name: str, config: object) -> Any:
    """Store a config as its file; insist on 200."""
    answer = await app.http.put(f"/api/configs/{name}", content=text(config))
    assert answer.status_code == 200, answer.text
    return answer.json()


def text(config: object) -> bytes:
    """A file as a person would write it."""
    return json.dumps(config, indent=4).encode()


async def kinds(app: App) -> list[tuple[str, dict[str, Any]]]:
    """Events about configs, oldest first."""
    told = reversed(await app.get("/api/events"))
    return [(it["kind"], it["data"]) for it in told if it["kind"].startswith("config_")]


def test_a_file_comes_back_as_it_was_and_a_replacement_is_told(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        first = await put(app, "base.json", BASE)
        file = text(BASE)
        assert (first["name"], first["version"], first["size"]) == ("base.json", 1, len(file))
        assert first["sha256"] == hashlib.sha256(file).hexdigest()
        answer = await app.http.get(first["url"])
        assert answer.content == file
        assert answer.headers["content-disposition"].startswith("attachment")
        assert (await put(app, "configs/base.json", BASE))["version"] == 1, "the same bytes are no new version"
        changed = await put(app, "base.json", BASE | {"extends": "root"})
        assert (changed["version"], changed["extends"]) == (2, "root")
        await put(app, "goliat/config/defaults/root.json", {})
        assert [it["name"] for it in await app.get("/api/configs")] == ["base.json", "goliat/config/defaults/root.json"]
        assert (await app.get("/api/configs/base.json"))["config"] == BASE | {"extends": "root"}
        assert (await app.http.delete("/api/configs/base.json")).status_code == 200
        assert (await app.http.get("/api/configs/base.json")).status_code == 404
        assert (await app.http.delete("/api/configs/base.json")).status_code == 404
        told = [(kind, data["name"], data["version"]) for kind, data in await kinds(app) if data["name"] == "base.json"]
        assert told == [
            ("config_stored", "base.json", 1), ("config_stored", "base.json", 2), ("config_removed", "base.json", 2),
        ]  # fmt: skip

    with_app(test)


@pytest.mark.parametrize(
    ("name", "body", "status", "says"),
    [
        ("..%2Fx.json", b"{}", 400, "'..'"),
        ("goliat/..%2F..%2Fx.json", b"{}", 400, "'..'"),
        ("%2Fetc%2Fx.json", b"[]", 400, "JSON object"),
        ("con.json", b"{}", 400, "device name"),
        ("a%01b.json", b"{}", 400, "control character"),
        ("goliat/config/x.txt", b"{}", 400, "ends in .json"),
        ("x" * 300 + ".json", b"{}", 400, "longer"),
        ("x.json", b"[1]", 400, "JSON object"),
        ("x.json", b"{", 400, "x.json is no JSON"),
        ("x.json", b"\xff", 400, "x.json is no JSON"),
        ("x.json", b'{"a": ' * 5000 + b"1" + b"}" * 5000, 400, "nested"),
        ("x.json", b'{"a": "' + b"x" * 1_000_000 + b'"}', 413, "1,000,000 bytes"),
        ("x.json", b" " * 3_000_000, 413, "too large"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    with_app: WithApp, name: str, body: bytes, status: int, says: str
) -> None:
    async def test(app: App) -> None:
        answer = await app.http.put(f"/api/configs/{name}", content=body)
        assert answer.status_code == status, answer.text
        assert says in answer.text
        assert await app.get("/api/configs") == []

    with_app(test)


def test_windows_would_not_tell_these_apart(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await put(app, "Base.json", BASE)
        answer = await app.http.put("/api/configs/base.json", content=b"{}")
        assert answer.status_code == 409
        assert "Base.json" in answer.json()["error"]

    with_app(test)


def test_a_study_takes_missing_parents_from_the_library_and_keeps_them(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        root = await put(app, "goliat/config/defaults/root.json", BASE)
        await put(app, "middle.json", {"extends": "root", "run_tag": "library"})
        sent = {"name": "a", "baseConfig": {"extends": "middle"}, "configName": "tier1.json"}
        made = await app.post("/api/super-studies", sent)
        assert made["baseConfig"] == BASE | {"run_tag": "library"}
        assert [(it["file"], it["origin"], it["version"]) for it in made["sources"]] == [
            ("tier1.json", "upload", None), ("middle.json", "library", 1),
            ("goliat/config/defaults/root.json", "library", 1),
        ]  # fmt: skip
        assert made["sources"][2]["sha256"] == root["sha256"]

        uploaded = sent | {"name": "b", "parents": {"middle.json": {"extends": "root", "run_tag": "uploaded"}}}
        won = await app.post("/api/super-studies", uploaded)
        assert won["baseConfig"]["run_tag"] == "uploaded", "what was uploaded wins"
        assert [it["origin"] for it in won["sources"]] == ["upload", "upload", "library"]

        await put(app, "goliat/config/defaults/root.json", BASE | {"phantoms": ["thelonious"]})
        await app.http.delete("/api/configs/middle.json")
        again = await app.get(f"/api/super-studies/{made['id']}")
        assert (again["baseConfig"], again["sources"]) == (made["baseConfig"], made["sources"])
        assert again["assignments"][0]["splitConfig"] == BASE | {"run_tag": "library"}

    with_app(test)


def test_a_study_of_a_config_of_the_library(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        stored = await put(app, "tier1.json", BASE)
        made = await app.post("/api/super-studies", {"name": "a", "configName": "tier1"})
        assert made["baseConfig"] == BASE
        assert made["sources"] == [
            {"file": "tier1.json", "origin": "library", "version": 1, "sha256": stored["sha256"]}
        ]
        missing = await app.http.post("/api/super-studies/preview", json={"configName": "tier2"})
        assert (missing.status_code, missing.json()["error"]) == (404, "no such config in the library")
        neither = await app.http.post("/api/super-studies/preview", json={})
        assert neither.status_code == 400
        assert "configName" in neither.json()["details"]

    with_app(test)


@pytest.mark.parametrize(
    ("library", "config", "where", "says"),
    [
        ({}, {"extends": "base"}, ("base.json", "extends"), "Upload base.json, or add it to the config library."),
        ({"base.json": {"extends": "root"}}, {"extends": "base"}, ("root.json", "extends"), "(extended by base.json)"),
        (
            {"a.json": {"extends": "b"}, "b.json": {"extends": "a"}}, {"extends": "a"}, ("a.json", "extends"),
            "a.json → b.json → a.json",
        ),
        (
            {"base.json": {"gridding_parameters": {"x": 1}}}, {"extends": "base", "gridding_parameters": [1]},
            ("", "gridding_parameters"), "Make them the same kind",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_resolved_names_file_and_key(
    with_app: WithApp, library: dict[str, Any], config: dict[str, Any], where: tuple[str, str], says: str
) -> None:
    async def test(app: App) -> None:
        for name, content in library.items():
            await put(app, name, content)
        answer = await app.http.post("/api/super-studies/preview", json={"baseConfig": config})
        told = answer.json()
        assert answer.status_code == 400
        assert (told["file"], told["key"]) == where
        assert says in told["details"]

    with_app(test)


def test_a_preview_for_the_present_fleet_has_a_range(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        sent = {"baseConfig": BASE, "split": {"by": "phantom"}, "presentFleet": True}
        alone = (await app.post("/api/super-studies/preview", sent))["presentFleet"]
        assert (alone["workers"], alone["finishS"], alone["cost"]) == (0, None, None)
        await app.post("/api/heartbeat", {"machineId": "m", "hostname": "gpu-1", "gpuName": "NVIDIA RTX 4090"})
        shown = await app.post("/api/super-studies/preview", sent)
        told = shown["presentFleet"]
        assert told["workers"] == 1
        assert 0 < told["finishS"]["p10"] < told["finishS"]["p50"] < told["finishS"]["p90"]
        assert shown["hours"]["NVIDIA RTX 4090"] > 0
        assert told["cost"] is None
        assert told["unpricedHours"] == told["gpuHours"] > 0

        await app.http.put("/api/settings/gpu-prices", json={"gpu": "RTX 4090", "pricePerHour": 2})
        priced = (await app.post("/api/super-studies/preview", sent))["presentFleet"]
        assert priced["cost"]["p50"] == pytest.approx(2 * priced["gpuHours"], abs=0.02)
        assert priced["cost"]["p10"] < priced["cost"]["p50"] < priced["cost"]["p90"]
        # Behind another study it is done later; before it not.
        await app.study("first", 3, BASE)
        behind = (await app.post("/api/super-studies/preview", sent))["presentFleet"]
        urgent = (await app.post("/api/super-studies/preview", sent | {"priority": 1}))["presentFleet"]
        assert behind["finishS"]["p50"] > 2 * told["finishS"]["p50"]
        assert urgent["finishS"]["p50"] == pytest.approx(told["finishS"]["p50"], rel=0.01)
        strict = sent | {"requirements": ["vram>=24"]}
        assert (await app.post("/api/super-studies/preview", strict))["presentFleet"]["workers"] == 0

    with_app(test)
