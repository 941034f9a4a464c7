"""A server that starts again is the same; one whose database was put back from a backup is not."""

import asyncio
import shutil
from pathlib import Path

from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import Settings


def epoch_of_a_start(folder: Path) -> str:
    async def start() -> str:
        services = Services(Settings(data_dir=folder))
        await services.open()
        await services.close()
        return services.epoch

    return asyncio.run(start())


def test_a_restart_keeps_the_epoch_and_a_restore_changes_it(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.sqlite"
    first = epoch_of_a_start(data)
    (database,) = data.glob("*.sqlite")
    shutil.copy(database, backup)
    assert epoch_of_a_start(data) == first
    shutil.copy(backup, database)
    restored = epoch_of_a_start(data)
    assert restored != first
    assert epoch_of_a_start(data) == restored
