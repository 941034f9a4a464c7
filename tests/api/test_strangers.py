"""A silent claim and a machine under another address over HTTP, and how a study's pages tell it."""

from collections.abc import Callable

from tests.support.app import App

WithApp = Callable[..., None]
OLD, NEW = "10.0.0.4", "10.8.0.9"


async def start(app: App) -> tuple[str, str]:
    """(silent run, stranger's run)."""
    study = await app.study()
    assignment = study["assignments"][0]["id"]
    await app.post(f"/api/assignments/{assignment}/claim", {"machineId": OLD})
    app.clock.now += 1_000_000
    await app.gui(NEW, type="sim_details", count=1, total=2, details="thelonious, 700MHz, x_pos, theta")
    runs = {it["workerName"]: it["id"] for it in await app.get("/api/runs")}
    return runs[OLD], runs[NEW]


def test_offers_are_listed_and_a_word_joins_them(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        silent, stranger = await start(app)
        (offer,) = await app.get("/api/strangers")
        assert (offer["runId"], offer["strangerRunId"], offer["index"]) == (silent, stranger, 0)
        assert (offer["workerName"], offer["strangerName"], offer["superStudyName"]) == (OLD, NEW, "study")
        joined = await app.post(f"/api/runs/{silent}/belongs-to", {"runId": stranger})
        assert (joined["id"], joined["index"], joined["attempt"], joined["state"]) == (stranger, 0, 2, "running")
        assert (await app.get(f"/api/runs/{silent}"))["run"]["state"] == "lost"
        assert await app.get("/api/strangers") == []
        again = await app.http.post(f"/api/runs/{silent}/belongs-to", json={"runId": stranger})
        assert (again.status_code, again.json()["error"]) == (409, "the run is over already")

    with_app(test)


def test_both_logs_say_what_was_done_and_the_next_words_go_to_the_joined_run(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        silent, stranger = await start(app)
        await app.post(f"/api/runs/{silent}/belongs-to", {"runId": stranger})
        await app.lines(NEW, 0, "one more line")
        await app.pass_time(20)
        said = {it: (await app.get(f"/api/runs/{it}/log"))["lines"] for it in (silent, stranger)}
        assert any("its machine speaks as" in line["text"] for line in said[silent])
        texts = [line["text"] for line in said[stranger]]
        assert any("attempt 2" in text for text in texts)
        assert "one more line" in texts

    with_app(test)


def test_events_of_a_study_hold_those_of_its_runs(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        silent, stranger = await start(app)
        await app.post(f"/api/runs/{silent}/belongs-to", {"runId": stranger})
        study = (await app.get("/api/super-studies"))[0]
        page = (await app.http.get(f"/studies/{study['id']}/events")).text
        for what in ("Study created", "Run claimed", "Run lost", "Run linked"):
            assert what in page
        assert "Run opened" not in page, "that was before it belonged to the study"

    with_app(test)


def test_the_base_config_is_a_file_with_its_keys_in_order(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        answer = await app.http.get(f"/api/super-studies/{study['id']}/config")
        assert answer.headers["content-disposition"].startswith('attachment; filename="study_base.json"')
        assert list(answer.json()) == list(study["baseConfig"])
        assert (await app.http.get("/api/super-studies/nothing/config")).status_code == 404

    with_app(test)


def test_a_tab_that_is_not_there_and_a_study_that_is_not_there_are_not_found(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        for path in (f"/studies/{study['id']}/nothing", "/studies/nothing", "/studies/nothing/gantt"):
            answer = await app.http.get(path)
            assert (answer.status_code, "no such" in answer.text.lower()) == (404, True), path

    with_app(test)
