"""A stand-in for the `goliat` command in tests of the agent alone. It knows nothing of GOLIAT but its wire.

`python fake_goliat.py study CONFIG --auto-close` runs the plan under the key `plan` of its config: a list of steps.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

RELAY = os.environ.get("GOLIAT_MONITORING_RELAY", "")
TOKEN = os.environ.get("GOLIAT_MONITORING_RELAY_TOKEN", "")
CONTROL = Path(os.environ.get("GOLIAT_MONITORING_CONTROL", "."))
SPOOL = Path(os.environ.get("GOLIAT_MONITORING_SPOOL", "."))
counter = 0


def post(path: str, body: bytes, content_type: str = "application/json") -> None:
    """As the hook does: to the relay, or into the spool while it is away."""
    global counter  # noqa: PLW0603 - a script
    counter += 1
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {TOKEN}"}
    request_id = f"{os.getpid()}-{counter}"
    request = urllib.request.Request(RELAY + path, body, {**headers, "X-Goliat-Hook-Id": request_id})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        print("refused", error.code, error.read()[:200], file=sys.stderr, flush=True)
        error.close()
    except OSError:
        now = time.time_ns()
        head = {"method": "POST", "path": path, "headers": headers, "time": now / 1e9, "id": request_id}
        unfinished = SPOOL / f"{now:020d}-{os.getpid()}-{counter}.tmp"
        unfinished.write_bytes(json.dumps(head).encode() + b"\n" + body)
        unfinished.rename(unfinished.with_suffix(".req"))


def update(message: dict[str, Any]) -> None:
    post("/api/gui-update", json.dumps({"machineId": "m", "message": message, "timestamp": time.time()}).encode())


def say(text: str, level: str = "info", kind: str = "status") -> None:
    item = {"type": "status", "message": text, "log_type": level, "timestamp": time.time()}
    if kind == "status":
        update({"type": "log_batch", "sequence": counter, "logs": [item]})
    else:
        update({**item, "type": kind})


def results(relative: str, files: dict[str, str], *, config_hash: str = "h", recorded: str = "h") -> None:
    """Write a simulation's folder, and note the decision as the hook does."""
    folder = Path("results") / relative
    folder.mkdir(parents=True, exist_ok=True)
    line = {
        "path": str(folder.resolve()),
        "relative_path": relative,
        "config_hash": recorded,
        "cached": False,
        "time": time.time(),
    }
    with (CONTROL / "simulations.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    (folder / "config.json").write_text(json.dumps({"config_hash": config_hash}))
    for name, text in files.items():
        (folder / name).write_text(text)


def upload(assignment: str, relative: str, files: dict[str, str]) -> None:
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="relativePath"\r\n\r\n{relative}\r\n'.encode()]
    for name, text in files.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + text.encode() + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    post(f"/api/assignments/{assignment}/results", body, f"multipart/form-data; boundary={boundary}")


def grandchild(*, marked: bool = True, reparented: bool = False) -> None:
    """A process that ignores SIGTERM, as a solver does that was left alone."""
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open(os.environ['PID_FILE'], 'w').write(str(os.getpid())); time.sleep(600)"
    )
    env = {**os.environ, "PID_FILE": str(Path("grandchild.pid").resolve())}
    if not marked:
        env = {"PATH": os.environ["PATH"], "PID_FILE": env["PID_FILE"]}
    if reparented:
        # A double fork out of the session: neither parent nor session lead back here.
        code = f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code], env=env, check=True)
    else:
        subprocess.Popen([sys.executable, "-c", code], env=env)
    while not Path("grandchild.pid").exists():
        time.sleep(0.02)


def wait_for(name: str) -> None:
    while not Path(name).exists():
        time.sleep(0.02)


def run_step(step: dict[str, Any]) -> None:
    match step["do"]:
        case "say":
            say(step["text"], step.get("level", "info"), step.get("kind", "status"))
        case "lines":
            for number in range(step["count"]):
                say(f"{step.get('prefix', 'line')} {number}")
                time.sleep(step.get("every", 0))
        case "simulate":
            number, total, relative = step["number"], step["total"], step["path"]
            update({"type": "sim_details", "count": number, "total": total, "details": step["details"]})
            files = step.get("files", {"sar_results.json": "{}", "progress.log": f"log {number}\n"})
            results(relative, files, config_hash=step.get("hash", "h"))
            update({"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1})
        case "upload":
            upload(os.environ["GOLIAT_ASSIGNMENT_ID"], step["path"], step["files"])
        case "wait":
            wait_for(step["file"])
        case "wait_stop":
            while not (CONTROL / "stop").exists():
                time.sleep(0.02)
        case "finished":
            update({"type": "finished", "message": step.get("message", "Study finished successfully")})
        case "grandchild":
            grandchild(marked=step.get("marked", True), reparented=step.get("reparented", False))
        case "ignore_sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "window":
            # Stays open until it is asked to close, and for ever if it does not listen.
            while not (CONTROL / "close").exists() or step.get("deaf"):
                time.sleep(0.02)
        case "environment":
            Path("environment.json").write_text(json.dumps({"env": dict(os.environ), "argv": sys.argv}))
        case "stderr":
            print(step["text"], file=sys.stderr)
        case "exit":
            sys.exit(step["code"])


def main() -> None:
    if "--help" in sys.argv:
        print("usage: goliat study [--auto-close] config" if "NO_AUTO_CLOSE" not in os.environ else "usage")
        return
    config = json.loads(Path(sys.argv[2]).read_text())
    Path("goliat.pid").write_text(str(os.getpid()))
    for step in config["plan"]:
        run_step(step)


if __name__ == "__main__":
    main()
