"""Uploads and downloads of results: nothing is replaced, nothing escapes its folder."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from tests.support.app import App
from tests.support.studies import PATHS

WithApp = Callable[..., None]


def form(path: str | None, *files: tuple[str, bytes]) -> list[tuple[str, Any]]:
    """As the client sends it: no content type on the files."""
    first: list[tuple[str, Any]] = [] if path is None else [("relativePath", (None, path))]
    return first + [("files", (name, content)) for name, content in files]


async def claimed(app: App, name: str = "study") -> tuple[str, str]:
    """(study id, assignment id) of a study whose only part a bare client claimed."""
    study = await app.study(name)
    assignment_id = study["assignments"][0]["id"]
    await app.post(f"/api/assignments/{assignment_id}/claim", {"machineId": "alpha"})
    return study["id"], assignment_id


def test_every_simulation_of_an_assignment_stays(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, assignment_id = await claimed(app)
        assert (await app.http.get(f"/api/super-studies/{study_id}/results/list")).status_code == 404
        for path in PATHS:
            answer = await app.http.post(
                f"/api/assignments/{assignment_id}/results",
                files=form(path, ("sar_results.json", path.encode()), ("sar_stats_all_tissues.pkl", b"\x80\x04")),
            )
            assert answer.status_code == 200
            assert answer.json()["filesUploaded"] == 2
            assert [file["size"] for file in answer.json()["files"]] == [len(path), 2]
        tree = await app.get(f"/api/super-studies/{study_id}/results/list")
        assert tree["totalFiles"] == 4
        folder = tree["tree"][0]
        assert (folder["name"], folder["type"], folder["path"]) == ("far_field", "directory", "far_field")
        for path in PATHS:
            got = await app.get(
                f"/api/super-studies/{study_id}/results/file", params={"path": f"{path}/sar_results.json"}
            )
            assert got == {"content": path, "filename": "sar_results.json", "size": len(path), "type": "text"}
        binary = await app.get(
            f"/api/super-studies/{study_id}/results/file", params={"path": f"{PATHS[0]}/sar_stats_all_tissues.pkl"}
        )
        assert (binary["type"], binary["encoding"]) == ("binary", "base64")
        assert base64.b64decode(binary["content"]) == b"\x80\x04"
        packed = await app.http.get(f"/api/super-studies/{study_id}/results/download")
        assert packed.headers["content-type"] == "application/zip"
        assert 'filename="study_results.zip"' in packed.headers["content-disposition"]
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            assert archive.testzip() is None
            assert archive.read(f"{PATHS[1]}/sar_results.json") == PATHS[1].encode()
            assert len(archive.namelist()) == 4

    with_app(test)


def test_same_path_and_name_again_is_a_new_version(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, assignment_id = await claimed(app)
        url = f"/api/assignments/{assignment_id}/results"
        versions = []
        for content in (b"one", b"two", b"two", b"one", b"one"):
            answer = await app.http.post(url, files=form(PATHS[0], ("sar_results.json", content)))
            versions.append(answer.json()["files"][0]["version"])
        assert versions == [1, 2, 2, 3, 3]
        [run] = await app.get("/api/runs", params={"assignmentId": assignment_id})
        artifacts = (await app.get(f"/api/runs/{run['id']}"))["artifacts"]
        assert [artifact["version"] for artifact in artifacts] == [3, 2, 1]
        contents = [(await app.http.get(artifact["url"])).content for artifact in artifacts]
        assert contents == [b"one", b"two", b"one"]
        shown = await app.get(
            f"/api/super-studies/{study_id}/results/file", params={"path": f"{PATHS[0]}/sar_results.json"}
        )
        assert shown["content"] == "one", "what came last is what the machine has"
        files = app.services.settings.data_dir / "files" / "artifacts"
        assert len([path for path in files.rglob("*") if path.is_file()]) == 3

    with_app(test)


HOSTILE_PATHS = [
    "../x", "a/../../x", "/etc", "\\\\host\\share", "C:\\x", "c:/x", "a\x00b", "a\\..\\b", "x" * 2000, "con/a",
]  # fmt: skip
HOSTILE_NAMES = [
    "../a", "/a", "a/b", "C:\\a.json", "C:a", "\\\\h\\a", "..", "nul", "a\x00.json", "", "a\x7f", "trailing.",
]  # fmt: skip


def test_hostile_paths_are_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, assignment_id = await claimed(app)
        for path in HOSTILE_PATHS:
            answer = await app.http.post(
                f"/api/assignments/{assignment_id}/results", files=form(path, ("a.json", b"{}"))
            )
            assert answer.status_code == 400, path
            assert set(answer.json()) == {"error", "details"}
            asked = await app.http.get(f"/api/super-studies/{study_id}/results/file", params={"path": path})
            assert asked.status_code in (400, 404), path
        assert (await app.http.get(f"/api/super-studies/{study_id}/results/list")).status_code == 404
        assert not list((app.services.settings.data_dir / "files" / "incoming").iterdir())

    with_app(test)


def test_hostile_file_names_are_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        _, assignment_id = await claimed(app)
        for name in HOSTILE_NAMES:
            body = (
                b'--b\r\nContent-Disposition: form-data; name="relativePath"\r\n\r\nx\r\n'
                b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n{}\r\n'
                b"--b--\r\n"
            )
            answer = await app.http.post(
                f"/api/assignments/{assignment_id}/results",
                content=body,
                headers={"Content-Type": "multipart/form-data; boundary=b"},
            )
            assert answer.status_code == 400, (name, answer.text)

    with_app(test)


def test_uploads_that_belong_nowhere(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        assignment_id = study["assignments"][0]["id"]
        body = form(PATHS[0], ("sar_results.json", b"{}"))
        never = await app.http.post(f"/api/assignments/{assignment_id}/results", files=body)
        assert never.status_code == 409
        assert (await app.http.post("/api/assignments/nope/results", files=body)).status_code == 404
        await app.post(f"/api/assignments/{assignment_id}/claim", {"machineId": "alpha"})
        async with app.client(address="198.51.100.9") as stranger:
            kept = await stranger.post(f"/api/assignments/{assignment_id}/results", files=body)
        assert kept.status_code == 200
        assert kept.json()["files"][0]["version"] == 0
        assert (await app.http.get(f"/api/super-studies/{study['id']}/results/list")).status_code == 404
        for broken in (form(PATHS[0]), None):
            answer = await app.http.post(f"/api/assignments/{assignment_id}/results", files=broken)
            assert answer.status_code == 400

    with_app(test)


def test_html_of_a_worker_never_runs_with_the_servers_rights(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        _, assignment_id = await claimed(app)
        await app.http.post(
            f"/api/assignments/{assignment_id}/results",
            files=form(PATHS[0], ("stats.html", b"<script>alert(1)</script>")),
        )
        [run] = await app.get("/api/runs", params={"assignmentId": assignment_id})
        [artifact] = (await app.get(f"/api/runs/{run['id']}"))["artifacts"]
        download = await app.http.get(artifact["url"])
        assert download.headers["content-disposition"].startswith("attachment")
        assert download.headers["content-type"] == "application/octet-stream"
        shown = await app.http.get(artifact["url"], params={"show": "true"})
        assert shown.headers["content-type"].startswith("text/html")
        assert shown.headers["content-security-policy"].startswith("sandbox;")
        assert "allow-scripts" not in shown.headers["content-security-policy"]

    with_app(test)


def test_a_file_larger_than_memory_pieces_arrives_whole(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, assignment_id = await claimed(app)
        content = bytes(range(256)) * 20_000
        await app.http.post(
            f"/api/assignments/{assignment_id}/results", files=form("", ("verbose.log", b"\n".join([content] * 2)))
        )
        raw = await app.http.get(
            f"/api/super-studies/{study_id}/results/file", params={"path": "verbose.log", "raw": "true"}
        )
        assert raw.content == b"\n".join([content] * 2)
        assert int(raw.headers["content-length"]) == len(raw.content)
        assert raw.headers["content-type"] == "application/octet-stream"

    with_app(test)


def test_results_come_from_the_run_that_proved_them(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        agent = await app.agent()
        await agent.claim()
        assert (await agent.upload(PATHS[0], "sar_results.json", json.dumps({"run": 1}).encode())).status_code == 200
        shown = await app.get(
            f"/api/super-studies/{study['id']}/results/file", params={"path": f"{PATHS[0]}/sar_results.json"}
        )
        assert json.loads(shown["content"]) == {"run": 1}
        assert 0 < (await app.get(f"/api/super-studies/{study['id']}"))["masterProgress"] < 100

    with_app(test)
