"""The hook's parts, each against a small stand-in for the piece of GOLIAT that it patches."""

import ast
import json
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goliat_monitoring.goliat_hook import hashes, importer, repairs, settings, solver, window
from goliat_monitoring.goliat_hook.spool import Spool

SITE = Path(hashes.__file__).parent / "site"


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def given(control: Path) -> settings.Settings:
    return settings.Settings("http://127.0.0.1:1/r/1", None, "m", None, control, None)


def run_python(code: str, *path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLIAT_")}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, path)), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


LOADED = "import sys, os; print('_goliat_monitoring_hook' in sys.modules, os.environ.get('GOLIAT_MONITORING_URL'))"


def test_site_holds_nothing_but_sitecustomize() -> None:
    assert [file.name for file in SITE.iterdir() if file.name != "__pycache__"] == ["sitecustomize.py"]


def test_inert_without_a_relay() -> None:
    assert run_python(LOADED, SITE).stdout.split() == ["False", "None"]


def test_installed_with_a_relay_and_nothing_heavy_loaded() -> None:
    heavy = "; print([name for name in ('requests', 'PySide6', 'ssl', 'http.client') if name in sys.modules])"
    done = run_python(LOADED + heavy, SITE, GOLIAT_MONITORING_RELAY="http://127.0.0.1:1/r/1/")
    assert done.stdout.split("\n") == ["True http://127.0.0.1:1/r/1", "[]", ""]
    assert done.stderr == ""


def test_a_persons_own_url_stands() -> None:
    done = run_python(LOADED, SITE, GOLIAT_MONITORING_RELAY="http://h", GOLIAT_MONITORING_URL="http://mine")
    assert done.stdout.split() == ["True", "http://mine"]


@pytest.mark.parametrize("relay", ["", "http://127.0.0.1:1"])
def test_shadowed_sitecustomize_runs_once(tmp_path: Path, relay: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('shadowed', __file__)")
    done = run_python("", SITE, tmp_path, GOLIAT_MONITORING_RELAY=relay)
    assert done.stdout.split() == ["shadowed", str(tmp_path / "sitecustomize.py")]


def test_error_of_the_shadowed_one_does_not_stop_python(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('theirs')")
    done = run_python(LOADED, SITE, tmp_path, GOLIAT_MONITORING_RELAY="http://h")
    assert (done.returncode, done.stdout.split()[0]) == (0, "True")
    assert "theirs" in done.stderr


def test_broken_hook_does_not_stop_python(tmp_path: Path) -> None:
    package = tmp_path / "hook"
    (package / "site").mkdir(parents=True)
    (package / "site" / "sitecustomize.py").write_text((SITE / "sitecustomize.py").read_text())
    (package / "__init__.py").write_text("raise SyntaxError('torn')")
    done = run_python("print('goes on')", package / "site", GOLIAT_MONITORING_RELAY="http://h")
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert "could not be installed" in done.stderr


def test_hook_uses_the_standard_library_alone() -> None:
    code = f"""
import importlib, runpy
runpy.run_path({str(SITE / "sitecustomize.py")!r})
for name in {sorted(file.stem for file in SITE.parent.glob("*.py"))!r}:
    importlib.import_module("_goliat_monitoring_hook." + name)
"""
    # Isolated and without site-packages: nothing else can be imported.
    command = [sys.executable, "-I", "-S", "-c", code]
    environment = {"GOLIAT_MONITORING_RELAY": "http://h"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", sorted(SITE.parent.rglob("*.py")), ids=lambda file: file.name)
def test_hook_is_python_3_8(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 8))


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A module `watched_thing`, patched on import to note its name; what was noted."""
    (tmp_path / "watched_thing.py").write_text("value = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[str] = []

    def fail(module: types.ModuleType) -> None:
        raise RuntimeError(module.__name__)

    def see(module: types.ModuleType) -> None:
        seen.append(module.__name__)

    finder = importer.AfterImport({"watched_thing": [see, fail, see]})
    finder.install()
    yield seen
    sys.meta_path.remove(finder)
    sys.modules.pop("watched_thing", None)


def test_patch_runs_after_import_and_its_error_is_swallowed(watched: list[str]) -> None:
    assert __import__("watched_thing").value == 1
    assert watched == ["watched_thing", "watched_thing"]


def test_spooled_request_is_one_complete_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    body = b'{"a": "\n\x00\xff"}'
    file = spool.keep("POST", "/api/gui-update", "application/json", body, "id-1")
    head, _, rest = file.read_bytes().partition(b"\n")
    told = json.loads(head)
    assert rest == body
    assert abs(told.pop("time") - int(file.name.split("-")[0]) / 1e9) < 1e-3
    assert told == {
        "method": "POST",
        "path": "/api/gui-update",
        "headers": {"content-type": "application/json"},
        "id": "id-1",
    }
    stamp, pid, counter = file.name.removesuffix(".req").split("-")
    assert (len(stamp), pid, counter) == (20, str(os.getpid()), "0")
    assert [other.suffix for other in (tmp_path / "spool").iterdir()] == [".req"]


def test_spool_keeps_every_update_but_only_the_newest_screenshots(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for path in ("/api/gui-update", "/api/gui-screenshots", "/api/heartbeat") * 3:
        spool.keep("POST", path, None, b"", "")
    kept = [json.loads(file.read_text().split("\n")[0])["path"] for file in sorted(tmp_path.iterdir())]
    assert sorted(kept) == ["/api/gui-screenshots", "/api/gui-update", "/api/gui-update", "/api/gui-update", "/api/heartbeat"]  # noqa: E501  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "taken"),
    [
        ("POST", "/api/gui-update", True),
        ("POST", "/api/assignments/a-1/results", True),
        ("POST", "/api/assignments/a-1/claim", False),
        ("POST", "/api/super-studies", False),
        ("GET", "/api/heartbeat", False),
        ("POST", "/api/gui-update/../super-studies", False),
    ],
)
def test_only_reports_are_spooled(method: str, path: str, taken: bool) -> None:
    assert Spool.takes(method, path) is taken


class Window:
    """As much of GOLIAT's window as the watch looks at."""

    def __init__(self) -> None:
        self.study_is_finished = False
        self.process = types.SimpleNamespace(exitcode=None)
        self.pressed: list[str] = []

    def stop_study(self) -> None:
        self.pressed.append("stop")

    def close(self) -> None:
        self.pressed.append("close")


def test_stop_is_pressed_once(given: settings.Settings, control: Path) -> None:
    gui = Window()
    watch = window.Watch(gui, given)
    watch.begin()
    watch.tick()
    assert gui.pressed == []
    (control / "stop").touch()
    watch.tick()
    watch.tick()
    assert gui.pressed == ["stop"]
    assert (control / "gui-pid").read_text() == str(os.getpid())


def test_end_and_exit_code_are_told_once(given: settings.Settings, control: Path) -> None:
    gui = Window()
    watch = window.Watch(gui, given)
    watch.tick()
    assert not control.exists()
    gui.study_is_finished = True
    gui.process.exitcode = 42
    watch.tick()
    first = (control / "finished").read_text()
    watch.tick()
    assert (control / "finished").read_text() == first
    assert float(first) > 0
    assert (control / "study-exit").read_text() == "42"


@pytest.mark.parametrize("by", ["file", "time"])
def test_window_that_stays_open_is_left(
    by: str, given: settings.Settings, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    qt = types.ModuleType("PySide6.QtCore")
    qt.QCoreApplication = types.SimpleNamespace(exit=left.append)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PySide6", types.ModuleType("PySide6"))
    monkeypatch.setitem(sys.modules, "PySide6.QtCore", qt)
    monkeypatch.setattr(window, "CLOSE_GRACE_S", 3600.0)
    gui = Window()
    watch = window.Watch(gui, given._replace(close_after_s=0.0 if by == "time" else None))
    watch.tick()
    assert gui.pressed == []
    if by == "time":
        gui.study_is_finished = True
    else:
        control.mkdir()
        (control / "close").touch()
    watch.tick()
    assert (gui.pressed, left) == (["close"], [])
    watch.tick()
    assert (gui.pressed, left) == (["close"], [0])
    (last_resort,) = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert (last_resort.daemon, last_resort.interval) == (True, 3600.0)
    last_resort.cancel()
    last_resort.join()


NEVER_ENDING = """
import sys, time, types
from pathlib import Path
from _goliat_monitoring_hook import settings, window

window.CLOSE_GRACE_S = 0.2
child = types.SimpleNamespace(exitcode=None, kill=lambda: print("killed", flush=True))
gui = types.SimpleNamespace(study_is_finished=True, process=child, close=lambda: False)
watch = window.Watch(gui, settings.Settings("http://h", None, None, None, None, 0.0))
while True:
    watch.tick()
    time.sleep(0.01)
"""


def test_process_that_does_not_end_is_ended() -> None:
    done = run_python(NEVER_ENDING, SITE, GOLIAT_MONITORING_RELAY="http://h")
    assert (done.returncode, done.stdout, done.stderr) == (1, "killed\n", "")


class ProjectManager:
    """The three methods of GOLIAT's that decide about a folder."""

    def __init__(self, base: Path, status: dict[str, bool]) -> None:
        self.config = types.SimpleNamespace(base_dir=str(base))
        self.folder = base / "results" / "far_field" / "duke" / "700MHz" / "environmental_x_pos_theta"
        self.project_path = str(self.folder / "p.smash")
        self.status = status
        self.verifies = True

    def _generate_config_hash(self, config: object) -> str:
        return f"hash of {config}"

    def verify_simulation_metadata(self, meta_path: str, surgical_config: object) -> dict[str, bool]:
        return self.status

    def write_simulation_metadata(
        self, meta_path: str, surgical_config: object, update_setup_timestamp: bool = False
    ) -> None:
        pass

    def create_or_open_project(self, phantom: str) -> dict[str, bool]:
        if not self.verifies:
            return self.status
        return self.verify_simulation_metadata(str(self.folder / "config.json"), phantom)


@pytest.fixture
def recording(given: settings.Settings) -> type[ProjectManager]:
    manager = type("ProjectManager", (ProjectManager,), dict(vars(ProjectManager)))
    module = types.ModuleType("goliat.project_manager")
    module.ProjectManager = manager  # type: ignore[attr-defined]
    hashes.record_hashes(module, given)
    return manager


def lines(control: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (control / hashes.FILE).read_text().splitlines()]


@pytest.mark.parametrize(("done", "cached"), [((True, True), True), ((True, False), False), ((False, False), False)])
def test_hash_of_a_verified_folder(
    done: tuple[bool, bool], cached: bool, recording: type[ProjectManager], control: Path, tmp_path: Path
) -> None:
    manager = recording(tmp_path, {"setup_done": True, "run_done": done[0], "extract_done": done[1]})
    manager.create_or_open_project("duke")
    (line,) = lines(control)
    assert line.pop("time") > 0
    assert line == {
        "path": str(manager.folder),
        "relative_path": "far_field/duke/700MHz/environmental_x_pos_theta",
        "config_hash": "hash of duke",
        "cached": cached,
    }


def test_hash_of_a_folder_that_is_set_up_anew(recording: type[ProjectManager], control: Path, tmp_path: Path) -> None:
    manager = recording(tmp_path, {})
    manager.write_simulation_metadata(str(manager.folder / "config.json"), "new", update_setup_timestamp=True)
    assert [(line["config_hash"], line["cached"]) for line in lines(control)] == [("hash of new", False)]


def test_cached_folder_stays_cached_when_its_metadata_are_written_again(
    recording: type[ProjectManager], control: Path, tmp_path: Path
) -> None:
    manager = recording(tmp_path, {"setup_done": True, "run_done": True, "extract_done": True})
    manager.create_or_open_project("duke")
    manager.write_simulation_metadata(str(manager.folder / "config.json"), "duke", update_setup_timestamp=False)
    assert [line["cached"] for line in lines(control)] == [True, True]


def test_folder_taken_as_it_is_bears_its_own_hash(
    recording: type[ProjectManager], control: Path, tmp_path: Path
) -> None:
    manager = recording(tmp_path, {"setup_done": True, "run_done": True, "extract_done": True})
    manager.verifies = False
    manager.folder.mkdir(parents=True)
    (manager.folder / "config.json").write_text('{"config_hash": "stored"}')
    manager.create_or_open_project("duke")
    assert [(line["config_hash"], line["cached"]) for line in lines(control)] == [("stored", True)]


def test_solver_gets_the_flag_and_a_clean_environment(
    given: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("goliat.runners.isolve_process_manager")
    module.subprocess = subprocess  # type: ignore[attr-defined]
    solver.start_solver_cleanly(module, given)
    theirs: Any = module.subprocess
    monkeypatch.setenv("GOLIAT_MONITORING_HOOK_SITE", "/hook/site")
    monkeypatch.setenv("GOLIAT_MONITORING_RELAY_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("/hook/site", "/theirs")))
    show = "import os; print(os.environ.get('PYTHONPATH'), os.environ.get('GOLIAT_MONITORING_RELAY_TOKEN'))"
    with theirs.Popen(
        [sys.executable, "-c", show], stdout=theirs.PIPE, text=True, creationflags=theirs.CREATE_NO_WINDOW
    ) as started:
        assert started.communicate()[0].split() == ["/theirs", "None"]
    assert theirs.TimeoutExpired is subprocess.TimeoutExpired
    if os.name != "nt":
        assert not hasattr(subprocess, "CREATE_NO_WINDOW")


@pytest.mark.skipif(os.altsep is not None, reason="Windows has an altsep")
def test_altsep_is_mended_in_one_module_only(given: settings.Settings) -> None:
    module = types.ModuleType("goliat.studies.base_study")
    module.os = os  # type: ignore[attr-defined]
    repairs.give_altsep(module, given)
    theirs: Any = module.os
    assert ("results" + theirs.altsep, theirs.sep, theirs.path) == ("results/", os.sep, os.path)
    assert os.altsep is None


class _FullQueue:
    """Always has another message, as on a machine that cannot keep up."""

    def __init__(self, most: int) -> None:
        self.left = most

    def empty(self) -> bool:
        return self.left == 0

    def get_nowait(self) -> str:
        self.left -= 1
        return "message"


@pytest.mark.parametrize(("is_finished", "taken"), [(False, 5), (True, 100)])
def test_window_takes_messages_in_turns(
    is_finished: bool, taken: int, given: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("goliat_monitoring.goliat_hook.window.time.monotonic", lambda: now[0])

    class QueueHandler:
        def __init__(self, gui: Any) -> None:
            self.gui = gui

        def process_queue(self) -> None:
            while not self.gui.queue.empty():
                self.gui.queue.get_nowait()
                now[0] += 0.1  # drawing what it says

    module = types.ModuleType("queue_handler")
    module.QueueHandler = QueueHandler  # type: ignore[attr-defined]
    window.take_messages_in_turns(module, given)
    queue = _FullQueue(100)
    gui = types.SimpleNamespace(queue=queue, study_is_finished=is_finished)
    QueueHandler(gui).process_queue()
    assert queue.left == 100 - taken
    assert gui.queue is queue
    for _ in range(30):
        QueueHandler(gui).process_queue()
    assert queue.left == 0


class _PieOfNewerMatplotlib:
    """What `Axes.pie` returns from matplotlib 3.11 on: it can be unpacked, but has no length."""

    def __getitem__(self, key: int) -> list[str]:
        return (["wedge"], ["text"], ["autotext"])[key]


class _Axes:
    def pie(self) -> _PieOfNewerMatplotlib:
        return _PieOfNewerMatplotlib()


@pytest.mark.parametrize("fails", [False, True])
def test_pie_chart_does_not_stop_a_message(fails: bool, given: settings.Settings) -> None:
    class PieChartsManager:
        def __init__(self) -> None:
            self.axes: list[Any] = [_Axes(), _Axes()]
            self.got: list[Any] = []

        def update(self, profiler: object) -> None:
            if fails:
                raise TypeError("no length")
            for axes in self.axes:
                result = axes.pie()
                self.got.append(result[2] if len(result) > 2 else [])

    module = types.ModuleType("pie_charts_manager")
    module.PieChartsManager = PieChartsManager  # type: ignore[attr-defined]
    repairs.forgive_pie_charts(module, given)
    manager = PieChartsManager()
    manager.update(None)
    manager.update(None)
    assert manager.got == ([] if fails else [["autotext"]] * 4)


def test_pie_charts_are_drawn_seldom_and_newest(given: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class PieChartsManager:
        def __init__(self) -> None:
            self.drawn: list[str] = []

        def update(self, profiler: str) -> None:
            self.drawn.append(profiler)

    due: list[Callable[[], None]] = []
    qt = types.ModuleType("PySide6.QtCore")
    qt.QTimer = types.SimpleNamespace(singleShot=lambda ms, call: due.append(call))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PySide6", types.ModuleType("PySide6"))
    monkeypatch.setitem(sys.modules, "PySide6.QtCore", qt)
    module = types.ModuleType("pie_charts_manager")
    module.PieChartsManager = PieChartsManager  # type: ignore[attr-defined]
    repairs.draw_pie_charts_seldom(module, given)
    manager = PieChartsManager()
    for told in (["first", "second", "third"], ["fourth"]):
        for profiler in told:
            manager.update(profiler)
        assert len(due) == 1
        due.pop()()
    assert manager.drawn == ["third", "fourth"]


@pytest.mark.parametrize(
    ("relay", "loopback"), [("http://localhost:1", True), ("http://127.0.0.2", True), ("https://example.org/x", False)]
)
def test_settings_from_environment(relay: str, loopback: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLIAT_MONITORING_RELAY", relay + "/")
    monkeypatch.setenv("GOLIAT_MONITORING_CLOSE_AFTER_S", "soon")
    found = settings.from_environment()
    assert found is not None
    assert (found.relay, found.is_loopback, found.close_after_s) == (relay, loopback, None)
