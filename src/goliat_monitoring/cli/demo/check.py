"""Whether every result arrived: what the server hands out, byte for byte what the agents say they sent."""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from goliat_monitoring.cli.client import Client
from goliat_monitoring.study.cases import Case

RESULT = "sar_results.json"


def check(api: Client, study_id: str, cases: Sequence[Case], state_dirs: Sequence[Path], folder: Path) -> list[str]:
    """What is wrong, a sentence each; nothing when all is well."""
    sent = manifests(state_dirs)
    archive = folder / "results.zip"
    api.download(f"/api/super-studies/{study_id}/results/download", archive)
    received = digests(archive)
    wrong = [f"{name} was sent but cannot be downloaded" for name in sorted(sent.keys() - received.keys())]
    wrong += [f"{name} is in no agent's manifest" for name in sorted(received.keys() - sent.keys())]
    wrong += [
        f"{name} arrived with other content" for name in sorted(sent) if received.get(name, sent[name]) != sent[name]
    ]
    results = {case.relative_path: received.get(f"{case.relative_path}/{RESULT}") for case in cases}
    wrong += [f"{path} has no {RESULT}" for path, digest in results.items() if digest is None]
    found = [digest for digest in results.values() if digest is not None]
    if len(set(found)) != len(found):
        wrong.append(f"two simulations have the same {RESULT}, though each is random")
    return wrong


def manifests(state_dirs: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of every file by `relative path/name`, as the agents remember it; a later run replaces an earlier."""
    from goliat_monitoring.agent.uploads import Uploads  # noqa: PLC0415 -- 15 MB that a server need not hold

    sent: dict[str, str] = {}
    found = [path for state_dir in state_dirs for path in state_dir.glob("runs/*/uploads.sqlite")]
    # Names of runs sort by the time at which they were claimed.
    for path in sorted(found, key=lambda path: path.parent.name):
        uploads = Uploads(path)
        try:
            sent.update({f"{folder}/{name}": digest for folder, name, digest in uploads.manifest()})
        finally:
            uploads.close()
    return sent


def digests(archive: Path) -> dict[str, str]:
    """SHA-256 of every file in a zip by its name."""
    with zipfile.ZipFile(archive) as opened:
        return {
            entry.filename: hashlib.sha256(opened.read(entry)).hexdigest()
            for entry in opened.infolist()
            if not entry.is_dir()
        }
