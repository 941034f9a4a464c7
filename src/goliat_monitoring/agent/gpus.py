"""NVIDIA GPUs through NVML. A machine without a driver simply has none."""

import contextlib
from typing import Any

import pynvml


class Gpus:
    """NVML, opened once. Every method answers with nothing rather than fail: a driver may vanish during an update."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]

    def inventory(self) -> tuple[list[str], int]:
        """Names of all GPUs, and the memory of the largest in bytes."""
        names: list[str] = []
        largest = 0
        for handle in self._handles:
            with contextlib.suppress(pynvml.NVMLError):
                name = pynvml.nvmlDeviceGetName(handle)
                names.append(name.decode() if isinstance(name, bytes) else str(name))
                largest = max(largest, int(pynvml.nvmlDeviceGetMemoryInfo(handle).total))
        return names, largest

    def sample(self) -> dict[str, float]:
        """`gpu` and `vram` in percent and `gpu_temp` in C, each of the busiest GPU; absent where unknown."""
        values: dict[str, float] = {}

        def highest(name: str, value: float) -> None:
            values[name] = max(values.get(name, value), value)

        for handle in self._handles:
            with contextlib.suppress(pynvml.NVMLError):
                highest("gpu", float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
            with contextlib.suppress(pynvml.NVMLError):
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                highest("vram", 100.0 * int(memory.used) / max(int(memory.total), 1))
            with contextlib.suppress(pynvml.NVMLError):
                celsius = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
                highest("gpu_temp", float(celsius))
        return values
