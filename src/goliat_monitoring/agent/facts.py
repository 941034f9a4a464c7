"""What this machine is: its fingerprint and the facts people see."""

import contextlib
import platform
import socket
import sys
import uuid
from pathlib import Path

import psutil

from goliat_monitoring import __version__
from goliat_monitoring.agent.gpus import Gpus
from goliat_monitoring.wire.agent import Facts, Fingerprint


def fingerprint() -> Fingerprint:
    """Which boot of which machine this is."""
    return Fingerprint(machine_id=_machine_id(), hostname=socket.gethostname(), boot_id=_boot_id())


def facts(gpus: Gpus, tags: list[str], goliat_version: str) -> Facts:
    """The machine's hardware and software. What cannot be learned stays empty."""
    names, vram = gpus.inventory()
    return Facts(
        hostname=socket.gethostname(),
        os=platform.platform(),
        gpu_name=names[0].removeprefix("NVIDIA ") if names else "",
        gpu_count=len(names),
        vram_bytes=vram,
        cpu_cores=psutil.cpu_count() or 0,
        ram_bytes=psutil.virtual_memory().total,
        agent_version=__version__,
        goliat_version=goliat_version,
        python_version=platform.python_version(),
        tags=tags,
    )


def _machine_id() -> str:
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - exists on Windows only

        with contextlib.suppress(OSError):
            access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    else:
        for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
            with contextlib.suppress(OSError):
                if text := Path(place).read_text().strip():
                    return text
    # The hardware address: the same after a restart, unlike anything made up here.
    return f"mac-{uuid.getnode():012x}"


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # The boot time is told to the second and wanders with clock corrections; a minute is sharp enough.
    return f"boot-{round(psutil.boot_time() / 60)}"
