"""Stands in for Sim4Life's Python API: just enough for `goliat study` to walk its whole flow."""

import importlib
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

__version__ = "8.2.1.0"


class Simulation:
    """One simulation of the open project.

    Args:
        name: the name under which GOLIAT looks for it after a reload.
        path: path of the project file; inputs and results lie in a folder beside it.
    """

    def __init__(self, name: str, path: str) -> None:
        self.Name = name
        self.path = Path(path)

    def WriteInputFile(self) -> None:  # noqa: N802  # Sim4Life's name
        """Writes the solver's input."""
        target = self.path.parent / self.GetInputFileName()
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"\0" * 1000)

    def GetInputFileName(self) -> str:  # noqa: N802  # Sim4Life's name
        """The solver's input file, relative to the project's folder."""
        return f"{self.path.name}_Results/abc123_Input.h5"

    def Results(self) -> MagicMock:  # noqa: N802  # Sim4Life's name
        """Something to extract from; the stand-in's extractors do not look at it."""
        return MagicMock()


def _hdf5() -> Any:
    return importlib.import_module("h5py")  # GOLIAT checks that a project file is HDF5


class _Document(types.ModuleType):
    """The one open project."""

    def __init__(self) -> None:
        super().__init__("s4l_v1.document")
        self.AllSimulations: list[Simulation] = []
        self.FilePath = ""
        self._open = False

    def New(self) -> None:  # noqa: N802  # Sim4Life's name
        self.AllSimulations = []
        self.FilePath = ""
        self._open = True

    def Open(self, path: str) -> None:  # noqa: N802  # Sim4Life's name
        with _hdf5().File(path, "r") as file:
            self.AllSimulations = [Simulation(name, path) for name in file.attrs["simulations"]]
        self.FilePath = path
        self._open = True

    def Save(self) -> None:  # noqa: N802  # Sim4Life's name
        pass

    def SaveAs(self, path: str) -> None:  # noqa: N802  # Sim4Life's name
        with _hdf5().File(path, "w") as file:
            file.attrs["simulations"] = [simulation.Name for simulation in self.AllSimulations]
        self.FilePath = path

    def Close(self) -> None:  # noqa: N802  # Sim4Life's name
        self._open = False

    def IsOpen(self) -> bool:  # noqa: N802  # Sim4Life's name
        return self._open


def _module(name: str) -> Any:
    module = MagicMock(name=name)
    module.__name__ = name
    module.__path__ = []
    module.__spec__ = None
    sys.modules[name] = module
    return module


document = _Document()
sys.modules["s4l_v1.document"] = document
_api = _module("s4l_v1._api")
_api.application = application = _module("s4l_v1._api.application")
model, data, units, analysis = (_module(f"s4l_v1.{name}") for name in ("model", "data", "units", "analysis"))
simulation = _module("s4l_v1.simulation")
simulation.emfdtd = _module("s4l_v1.simulation.emfdtd")
materials = _module("s4l_v1.materials")
materials.database = _module("s4l_v1.materials.database")
