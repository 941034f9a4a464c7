"""Super studies that the server splits: previews, creation, refusals that machines can read."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app import App
from tests.support.studies import CONFIG

WithApp = Callable[..., None]
BASE: dict[str, Any] = CONFIG | {"phantoms": ["duke", "ella"], "frequencies_mhz": [700, 2450]}
CHILD: dict[str, Any] = {"extends": "base", "run_tag": "t"}
PARENTS = {"base.json": BASE}


def wish(by: str | None = None, number: int | None = None, **more: Any) -> dict[str, Any]:
    """A request for 2 phantoms at 2 frequencies with 2 polarizations, inherited."""
    split = {"by": by, "numSplits": number, "frequencyGroups": more.pop("groups", None)}
    return {"baseConfig": CHILD, "parents": PARENTS, "split": split} | more


def test_a_preview_stores_nothing(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        fleet = [{"gpu": "RTX 4090", "count": 2, "pricePerHour": 0.5}, {"gpu": "H100"}]
        shown = await app.post("/api/super-studies/preview", wish("auto", 4, fleet=fleet, pricePerHour=3))
        assert [(it["index"], it["label"], it["simulations"]) for it in shown["assignments"]] == [
            (0, "duke · 700 MHz", 2), (1, "duke · 2450 MHz", 2), (2, "ella · 700 MHz", 2), (3, "ella · 2450 MHz", 2),
        ]  # fmt: skip
        assert shown["totalSimulations"] == 8
        assert shown["exactCover"] is True
        assert shown["euro"].keys() == shown["hours"].keys()
        assert [it["gpu"] for it in shown["fleet"]["machines"]] == ["RTX 4090", "RTX 4090", "H100"]
        assert shown["assignments"][3]["splitConfig"] == BASE | {
            "phantoms": ["ella"], "frequencies_mhz": [2450], "run_tag": "t",
        }  # fmt: skip
        assert await app.get("/api/super-studies") == []

    with_app(test)


def test_a_study_is_what_its_preview_showed(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        asked = wish("balanced", 2)
        shown = await app.post("/api/super-studies/preview", asked)
        more = {"name": "x", "priority": 7, "requirements": ["vram>=24", "gpu=RTX 4090", "tag=fast", "goliat>=1.5"]}
        made = await app.post("/api/super-studies", asked | more)
        assert [it["splitConfig"] for it in made["assignments"]] == [
            it["splitConfig"] for it in shown["assignments"]
        ]  # fmt: skip
        assert [it["weight"] for it in made["assignments"]] == [
            pytest.approx(it["weight"], abs=0.1) for it in shown["assignments"]
        ]
        assert [it["expectedTotal"] for it in made["assignments"]] == [
            it["simulations"] for it in shown["assignments"]
        ]  # fmt: skip
        assert made["baseConfig"] == BASE | {"run_tag": "t"}
        assert made["split"] == {"by": "balanced", "numSplits": 2, "frequencyGroups": None}
        assert made["priority"] == 7
        demand = {"vramGb": 24.0, "gpus": ["RTX 4090"], "tags": ["fast"], "goliat": "1.5"}
        assert [it["requirements"] for it in made["assignments"]] == [demand] * len(shown["assignments"])

    with_app(test)


def test_what_a_preview_warns_of_the_creation_warns_of(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        asked = wish("phantom") | {"baseConfig": CHILD | {"use_gui": False}}
        shown = await app.post("/api/super-studies/preview", asked)
        made = await app.post("/api/super-studies", asked | {"name": "warned"})
        assert made["warnings"] == shown["warnings"]
        assert any("use_gui was off" in text for text in made["warnings"])
        assert (await app.get(f"/api/super-studies/{made['id']}"))["warnings"] == []

    with_app(test)


def test_without_a_split_it_is_one_assignment(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        made = await app.post("/api/super-studies", {"name": "x", "baseConfig": CHILD, "parents": PARENTS})
        assert [it["splitConfig"] for it in made["assignments"]] == [BASE | {"run_tag": "t"}]
        assert (made["split"], made["priority"], made["assignments"][0]["requirements"]) == ({}, 0, {})

    with_app(test)


def test_groups_as_text_and_as_lists(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        groups: list[Any] = ["2450;700", [[2450], ["700"]]]
        for group in groups:
            shown = await app.post("/api/super-studies/preview", wish("custom", groups=group))
            assert [it["label"] for it in shown["assignments"]] == ["2450 MHz", "700 MHz"]

    with_app(test)


INDUCED = {"base.json": BASE | {"auto_induced": {"enabled": True}}}


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (wish("auto", 3), {"nearest": [2, 4], "instead": ["balanced"]}),
        (wish("scenario"), {"instead": ["auto", "phantom", "frequency", "balanced"]}),
        (wish("direction", parents=INDUCED), {"instead": ["phantom", "frequency", "auto", "custom", "balanced"]}),
        (wish("colour"), {}),
        (wish("custom", groups="700"), {}),
        (wish("custom", groups=[["x"]]), {}),
        (wish("phantom", parents={}), {"file": "base.json", "key": "extends"}),
        (wish("phantom", parents={"base": {"extends": "base"}}), {"file": "base.json", "key": "extends"}),
        (wish("phantom", baseConfig=CHILD | {"far_field_setup": [1]}), {"file": "", "key": "far_field_setup"}),
        (
            wish("phantom", configName="child.json", baseConfig=CHILD | {"phantoms": {"a": 1}}),
            {"file": "child.json", "key": "phantoms"},
        ),
        (
            wish("phantom", configName="child.json", baseConfig=CHILD | {"far_field_setup": [1]}),
            {"file": "child.json", "key": "far_field_setup"},
        ),
        (
            wish("phantom", configName="child.json", parents={"base": BASE | {"phantoms": {"a": 1}}}),
            {"file": "base.json", "key": "phantoms"},
        ),
        (wish("phantom", baseConfig=CHILD | {"frequencies_mhz": []}), {}),
        (wish("phantom", baseConfig={}), {"key": "study_type"}),
        (wish("phantom", fleet=[{"count": 0}]), {}),
        (wish("phantom", fleet=[{"count": 10**9}]), {}),
        (wish("phantom", fleet=[{"speed": 0}]), {}),
        (wish("phantom", pricePerHour=-1), {}),
        (wish("phantom", parents={"base": []}), {}),
        (wish("phantom", split="phantom"), {}),
    ],
)
def test_refusals_say_what_would_work(with_app: WithApp, body: dict[str, Any], extra: dict[str, Any]) -> None:
    async def test(app: App) -> None:
        answer = await app.http.post("/api/super-studies/preview", json=body)
        assert answer.status_code == 400
        told = answer.json()
        assert told["error"]
        assert told["details"]
        assert {name: told[name] for name in extra} == extra
        if "fleet" not in body and "pricePerHour" not in body:
            assert (await app.http.post("/api/super-studies", json={"name": "x"} | body)).status_code == 400
        assert await app.get("/api/super-studies") == []

    with_app(test)


@pytest.mark.parametrize(
    "more",
    [
        {"requirements": ["ram>64"]},
        {"requirements": "vram>=24"},
        {"priority": 10**6},
        {"priority": "high"},
        {"assignments": [{"splitConfig": BASE}]},
        {"name": ".."},
    ],
)
def test_refused_studies_are_not_stored(with_app: WithApp, more: dict[str, Any]) -> None:
    async def test(app: App) -> None:
        answer = await app.http.post("/api/super-studies", json={"name": "x"} | wish("phantom") | more)
        assert answer.status_code == 400
        assert answer.json()["details"]
        assert await app.get("/api/super-studies") == []

    with_app(test)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"split": {"strategy": "auto"}}, "`split` has no field `strategy`. Allowed: by, numSplits, frequencyGroups."),
        (
            {"fleet": [{}, {"gpus": "H100"}]},
            "`fleet[1]` has no field `gpus`. Allowed: gpu, count, pricePerHour, speed.",
        ),
        ({"presentfleet": True}, "the request has no field `presentfleet`. Allowed: baseConfig, configName, "),
        ({"asignments": [{"splitConfig": BASE}]}, "the request has no field `asignments`. Allowed: "),
    ],
)
def test_a_misspelled_field_is_refused_with_those_that_there_are(
    with_app: WithApp, more: dict[str, Any], said: str
) -> None:
    async def test(app: App) -> None:
        answer = await app.http.post("/api/super-studies/preview", json=wish("phantom") | more)
        assert answer.status_code == 400
        assert said in answer.json()["details"]
        if "split" in more:
            made = await app.http.post("/api/super-studies", json=wish() | more | {"name": "x"})
            assert (made.status_code, made.json()["details"]) == (400, said)
            # What creates a study can be looked at first.
            await app.post("/api/super-studies/preview", wish("phantom") | {"name": "x", "description": "a sentence"})

    with_app(test)


def test_ready_made_assignments_can_have_requirements(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        body = {"name": "x", "baseConfig": BASE, "assignments": [{"splitConfig": BASE}], "requirements": ["vram>=8"]}
        made = await app.post("/api/super-studies", body)
        assert made["assignments"][0]["requirements"] == {"vramGb": 8.0}
        taken = await app.http.post("/api/super-studies", json=body | {"name": "X"})
        assert (taken.status_code, taken.json()["free"]) == (409, "X-2")

    with_app(test)


PARENT = {
    "study_type": "near_field",
    "phantoms": ["a"],
    "antenna_config": {"700": {}, "835": {}},
    "placement_scenarios": {"belly": {"positions": {"center": 0}, "orientations": {"up": 0}}},
    "phantom_definitions": {"a": {"placements": {"do_belly": True}}},
}


def narrowed(**more: Any) -> dict[str, Any]:
    """Two antennas cut into an assignment each, as `goliat super_study` does it: with the key `extends` left in."""
    parts = [{"extends": "nf", "antenna_config": {mhz: {}}} for mhz in ("700", "835")]
    return {
        "name": "x",
        "baseConfig": {"extends": "nf"},
        "assignments": [{"splitConfig": part} for part in parts],
        **more,
    }


def test_ready_made_assignments_are_what_machines_would_run(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        made = await app.post("/api/super-studies", narrowed(parents={"nf": PARENT}))
        assert made["baseConfig"] == PARENT
        assert [it["splitConfig"] for it in made["assignments"]] == [PARENT, PARENT], "objects merge"
        assert [it["expectedTotal"] for it in made["assignments"]] == [2, 2]
        (warning,) = made["warnings"]
        assert "do not cover the base config exactly: 2 cases come again" in warning
        assert [it["file"] for it in made["sources"]] == ["nf.json"]
        apart = [{"splitConfig": PARENT | {"antenna_config": {mhz: {}}}} for mhz in ("700", "835")]
        exact = await app.post("/api/super-studies", narrowed(parents={"nf": PARENT}, assignments=apart, name="y"))
        assert exact["warnings"] == []
        less = await app.post("/api/super-studies", {"name": "z", "baseConfig": PARENT, "assignments": apart[:1]})
        assert "1 cases are missing" in less["warnings"][0]

    with_app(test)


def test_ready_made_assignments_have_a_preview_too(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        def cut(*parts: list[str]) -> dict[str, Any]:
            return {"baseConfig": BASE, "assignments": [{"splitConfig": BASE | {"phantoms": part}} for part in parts]}

        split = await app.post("/api/super-studies/preview", wish("phantom") | {"presentFleet": True})
        same = [it["splitConfig"]["phantoms"] for it in split["assignments"]]
        shown = await app.post("/api/super-studies/preview", cut(*same) | {"presentFleet": True})
        for key in ("totalSimulations", "totalWeight", "exactCover", "hours", "fleet", "warnings"):
            assert shown[key] == split[key], key
        for key in ("index", "label", "simulations", "weight", "hours"):
            assert [it[key] for it in shown["assignments"]] == [it[key] for it in split["assignments"]], key
        assert shown["presentFleet"]["workers"] == 0
        twice = await app.post("/api/super-studies/preview", cut(same[0], same[0]))
        made = await app.post("/api/super-studies", cut(same[0], same[0]) | {"name": "twice"})
        assert (twice["exactCover"], twice["warnings"]) == (False, made["warnings"])
        # What nobody can count takes no time that anybody could tell.
        unknown = narrowed(presentFleet=True)
        shown = await app.post("/api/super-studies/preview", unknown)
        assert [it["simulations"] for it in shown["assignments"]] == [0, 0]
        assert shown["exactCover"] is False
        assert shown["warnings"][0].startswith("nf.json is not known here")
        wrong: list[dict[str, Any]] = [cut(), cut(same[0]) | {"split": {"by": "auto"}}, {"assignments": []}]
        for body in wrong:
            assert (await app.http.post("/api/super-studies/preview", json=body)).status_code == 400
        assert len(await app.get("/api/super-studies")) == 1

    with_app(test)


def test_what_is_odd_about_ready_made_assignments_is_said(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        async def made(base: dict[str, Any], *parts: dict[str, Any]) -> Any:
            body = {"name": f"x{len(await app.get('/api/super-studies'))}", "baseConfig": base}
            return await app.http.post("/api/super-studies", json=body | {"assignments": [*map(wrapped, parts)]})

        def wrapped(config: dict[str, Any]) -> dict[str, Any]:
            return {"splitConfig": config}

        def polarized(base: dict[str, Any], *names: str) -> dict[str, Any]:
            setup = {"incident_directions": ["x_pos"], "polarizations": list(names)}
            return base | {"far_field_setup": {"type": "environmental", "environmental": setup}}

        induced = INDUCED["base.json"]
        (warning,) = (await made(induced, polarized(induced, "theta"), polarized(induced, "phi"))).json()["warnings"]
        assert "auto_induced is on and its blocks are cut" in warning
        assert "Split by phantom" in warning
        apart = [induced | {"phantoms": [name]} for name in ("duke", "ella")]
        assert (await made(induced, *apart)).json()["warnings"] == []
        assert (await made(BASE, polarized(BASE, "theta"), polarized(BASE, "phi"))).json()["warnings"] == []

        silent = await made(BASE, *({**BASE, "phantoms": [it], "use_web": False} for it in ("duke", "ella")))
        (warning,) = silent.json()["warnings"]
        assert "use_web was off" in warning
        assert [it["splitConfig"]["use_web"] for it in silent.json()["assignments"]] == [True, True]

        for empty in ("phantoms", "frequencies_mhz"):
            refused = await made(BASE, BASE, BASE | {empty: []})
            assert refused.status_code == 400
            assert f"Assignment 1 has no simulation and could never complete: {empty} is missing" in refused.text
        assert "Assignment 0: 'execution_control' must be" in (await made(BASE, BASE | {"execution_control": 1})).text

    with_app(test)


def test_ready_made_assignments_whose_parents_nobody_knows_are_taken_and_that_is_said(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        made = await app.post("/api/super-studies", narrowed())
        assert made["assignments"][0]["splitConfig"] == {"extends": "nf", "antenna_config": {"700": {}}}
        assert made["assignments"][0]["expectedTotal"] is None
        (warning,) = made["warnings"]
        assert warning.startswith("nf.json is not known here")
        clash = narrowed(name="y", parents={"nf": PARENT | {"antenna_config": [700]}})
        refused = await app.http.post("/api/super-studies", json=clash)
        assert (refused.status_code, refused.json()["key"]) == (400, "antenna_config")
        assert "nf.json" in refused.json()["details"]

    with_app(test)


def test_a_deep_config_is_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        deep: dict[str, Any] = {}
        for levels in range(1, 400):
            deep = {"a": deep}
            if levels not in (97, 98, 99, 100, 150, 399):
                continue
            body = wish("phantom", baseConfig=copy.deepcopy(BASE) | {"deep": deep})
            shown = await app.http.post("/api/super-studies/preview", json=body)
            made = await app.http.post("/api/super-studies", json=body | {"name": f"x{levels}"})
            assert (shown.status_code, made.status_code) == ((200, 200) if levels < 99 else (400, 400)), levels

    with_app(test)


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [
        ("PATCH", "/api/workers/gpu-1", {"wishes": "paused"}, "label, wish, pricePerHour"),
        ("POST", "/api/workers/wish", {"workers": ["x"], "wish": "paused", "reason": "x"}, "workers, wish"),
        ("POST", "/api/runs/none/stop", {"force": True}, "kill"),
        ("POST", "/api/runs/none/give-up", {"because": "x"}, "reason"),
        ("POST", "/api/tokens", {"label": "x", "roles": "viewer"}, "label"),
        ("POST", "/api/enrolment-tokens", {"days": 1}, "hours"),
        ("PATCH", "/api/settings", {"keepLogs": 1}, ""),
    ],
)
def test_so_is_one_of_a_person_s_other_requests(
    with_app: WithApp, method: str, path: str, body: dict[str, Any], allowed: str
) -> None:
    async def test(app: App) -> None:
        answer = await app.http.request(method, path, json=body)
        said = answer.json().get("details", "")
        assert answer.status_code == 400, answer.text
        assert "has no field" in said
        assert "Allowed: " + allowed in said

    with_app(test)
