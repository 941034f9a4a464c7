"""What the cost model says about simulations of stored studies, on any GPU; worked out once for each kind."""

import threading
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.progress import TYPICAL, Phases, phases_of_cost
from goliat_monitoring.fleet.rates import Kind
from goliat_monitoring.store import tables
from goliat_monitoring.study.weights import CaseCost, case_cost

# Of a simulation that no config tells anything about, seconds: as long as a usual one.
UNKNOWN_S = 300.0
# Studies times phantoms times frequencies times GPU models; far more than one fleet works on.
MOST_KEPT = 20_000

_kept: dict[tuple[Kind, str], CaseCost | None] = {}
_lock = threading.Lock()


class Predictions:
    """For the length of one transaction. A study's config never changes, so what was worked out stays true."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._configs: dict[str, dict[str, Any]] = {}

    def know(self, study_id: str, config: dict[str, Any]) -> None:
        """Tell the config of a study that is not stored."""
        self._configs[study_id] = config

    def on_gpu(self, kind: Kind, gpu: str) -> float:
        """Predicted seconds on a GPU over those on the one that weights are made for; 1 where the model is silent."""
        here, usual = self.cost(kind, gpu), self.cost(kind, "")
        return here.seconds / usual.seconds if here is not None and usual is not None and usual.seconds > 0 else 1.0

    def phases(self, kind: Kind, gpu: str) -> Phases:
        """Where the phases of a simulation end."""
        found = self.cost(kind, gpu)
        return TYPICAL if found is None else phases_of_cost(found.overhead_s, found.solver_s)

    def cost(self, kind: Kind, gpu: str) -> CaseCost | None:
        """The prediction itself; None where the model is silent."""
        key = (kind, gpu)
        with _lock:
            if key in _kept:
                return _kept[key]
        try:
            found = case_cost(self._config(kind.study), kind.phantom, kind.frequency, gpu or None)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
            found = None
        with _lock:
            if len(_kept) >= MOST_KEPT:
                _kept.clear()
            _kept[key] = found
        return found

    def _config(self, study_id: str) -> dict[str, Any]:
        if study_id not in self._configs:
            text = self._connection.execute(
                select(tables.super_studies.c.base_config).where(tables.super_studies.c.id == study_id)
            ).scalar_one_or_none()
            self._configs[study_id] = msgspec.json.decode(text or "{}", type=dict[str, Any])
        return self._configs[study_id]
