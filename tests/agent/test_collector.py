"""Which files of the results folder are this run's, and when they are complete."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goliat_monitoring.agent.collector import Collector, tones
from goliat_monitoring.agent.uploads import Uploads

CASE = "far_field/duke/700MHz/environmental_x_pos_theta"
OTHER = "far_field/duke/900MHz/environmental_x_pos_theta"


class Place:
    """A project folder, a control folder and a collector that looks at them."""

    def __init__(self, folder: Path, stable_s: float = 0.0) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.control.mkdir()
        self.uploads = Uploads(folder / "uploads.sqlite")
        self.notes: list[str] = []
        self.stable_s = stable_s
        self.started_at = time.time()
        self.collector = self.make({CASE.casefold(), OTHER.casefold()})

    def make(self, expected: set[str] | None) -> Collector:
        return Collector(
            workdir=self.folder,
            control=self.control,
            expected=expected,
            started_at=self.started_at,
            stable_s=self.stable_s,
            uploads=self.uploads,
            note=lambda text, level: self.notes.append(text),
        )

    def decide(self, relative: str, config_hash: str = "h", *, cached: bool = False) -> None:
        line = {
            "path": str(self.folder / "results" / relative),
            "relative_path": relative,
            "config_hash": config_hash,
            "cached": cached,
            "time": time.time(),
        }
        with (self.control / "simulations.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def write(self, relative: str, name: str, text: str, age: float = 0.0) -> Path:
        file = self.folder / "results" / relative / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if age:
            os.utime(file, (self.started_at - age, self.started_at - age))
        return file

    def config(self, relative: str, config_hash: str = "h", age: float = 0.0) -> None:
        self.write(relative, "config.json", json.dumps({"config_hash": config_hash}), age)

    def taken(self, *, final: bool = True) -> set[str]:
        """What is offered after two looks: a file must be seen unchanged."""
        self.collector.look(final=final)
        self.collector.look(final=final)
        rows = self.uploads._connection.execute("SELECT path, name FROM uploads")
        return {f"{path}/{name}" for path, name in rows}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.uploads.close()


def test_all_result_files_but_no_models_and_fields(place: Place) -> None:
    place.decide(CASE)
    place.config(CASE)
    for name in ("sar_results.json", "sar_stats_all_tissues.pkl", "verbose.log", "point_sensor_data.png"):
        place.write(CASE, name, name)
    for name in ("duke.smash", "x_Output.h5", "lock.tmp", ".hidden.json"):
        place.write(CASE, name, name)
    place.write(f"{CASE}/duke.smash_Results", "inner.json", "{}")
    assert place.taken() == {
        f"{CASE}/{name}"
        for name in (
            "config.json",
            "sar_results.json",
            "sar_stats_all_tissues.pkl",
            "verbose.log",
            "point_sensor_data.png",
        )
    }


def test_a_folder_that_nobody_decided_on_is_left(place: Place) -> None:
    place.config(CASE)
    place.write(CASE, "sar_results.json", "{}")
    assert place.taken() == set()


def test_a_folder_of_other_settings_is_left_and_said_so(place: Place) -> None:
    place.decide(CASE, "mine")
    place.config(CASE, "another study's")
    place.write(CASE, "sar_results.json", "{}")
    assert place.taken() == set()
    assert len(place.notes) == 1
    assert "other settings" in place.notes[0]


def test_a_case_of_another_assignment_is_left(place: Place) -> None:
    place.collector = place.make({OTHER.casefold()})
    place.decide(CASE)
    place.config(CASE)
    assert place.taken() == set()


def test_files_from_before_the_start_are_left_unless_cached(place: Place) -> None:
    place.decide(CASE)
    place.config(CASE)
    place.write(CASE, "sapd_results.json", "old", age=3600)
    place.write(CASE, "sar_results.json", "new")
    assert place.taken() == {f"{CASE}/config.json", f"{CASE}/sar_results.json"}
    place.decide(CASE, cached=True)
    assert f"{CASE}/sapd_results.json" in place.taken()


def test_the_log_of_the_running_simulation_waits_for_its_end(place: Place) -> None:
    place.decide(CASE)
    place.config(CASE)
    place.write(CASE, "progress.log", "half")
    assert place.taken(final=False) == {f"{CASE}/config.json"}
    place.decide(OTHER)
    assert f"{CASE}/progress.log" in place.taken(final=False)


def test_a_file_that_still_grows_waits(tmp_path: Path) -> None:
    place = Place(tmp_path, stable_s=3600)
    place.decide(CASE)
    place.config(CASE)
    place.write(CASE, "sar_results.json", "{")
    assert place.taken(final=False) == set()
    assert place.taken(final=True) == {f"{CASE}/config.json", f"{CASE}/sar_results.json"}
    place.uploads.close()


def test_what_grew_after_it_was_taken_is_taken_again(place: Place) -> None:
    place.decide(CASE)
    place.config(CASE)
    file = place.write(CASE, "verbose.log", "one\n")
    place.taken()
    file.write_text("one\ntwo\n")
    place.collector.look(final=True)
    rows = place.uploads._connection.execute("SELECT count(*) FROM uploads WHERE name = 'verbose.log'").fetchone()
    assert rows == (2,)
    assert place.collector.look(final=True) == 0


def test_several_tones_are_found_in_their_own_folders(place: Place) -> None:
    both = "far_field/duke/700+2450MHz/environmental_x_pos_theta"
    place.collector = place.make({both.casefold()})
    place.decide(both)
    place.config(both)
    for tone in tones(both):
        place.write(tone, "sar_results.json", tone)
        place.write(tone, "old.json", "of another study", age=3600)
    assert place.taken() == {
        f"{both}/config.json",
        "far_field/duke/700MHz/environmental_x_pos_theta/sar_results.json",
        "far_field/duke/2450MHz/environmental_x_pos_theta/sar_results.json",
    }


def test_a_link_out_of_the_folder_is_not_followed(place: Place, tmp_path: Path) -> None:
    place.decide(CASE)
    place.config(CASE)
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (tmp_path / "results" / CASE / "sar_results.json").symlink_to(secret)
    assert place.taken() == {f"{CASE}/config.json"}


@pytest.mark.parametrize("line", ["", "{", "[]", '{"path": 1}', '{"path": "x", "relative_path": "../../etc"}', "\0"])
def test_broken_decisions_are_passed_over(place: Place, line: str) -> None:
    (place.control / "simulations.jsonl").write_text(line + "\n")
    place.decide(CASE)
    place.config(CASE)
    assert place.taken() == {f"{CASE}/config.json"}
