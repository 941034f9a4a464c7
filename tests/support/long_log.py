"""A long log as GOLIAT writes it: the shapes of a real `verbose.log`, with numbers that vary as they do."""

import random
from collections.abc import Iterator

from goliat_monitoring.store.log.chunk import StoredLine

PHANTOMS = ("thelonious", "duke", "ella", "eartha")
TISSUES = ("Skin", "Fat", "Muscle", "Bone_cortical", "Brain_grey_matter", "Eye_lens", "Heart_lumen", "Liver", "Kidney")
SUBTASKS = ("load_phantom", "configure_scene", "materials", "solver", "voxelize", "save_project", "simulation")


def long_log(count: int, *, seed: int = 1, batch: int = 20) -> list[StoredLine]:
    """`count` lines of one run, about 100 characters each. `batch`: lines that arrive together."""
    rng = random.Random(seed)
    time = 1_795_479_060_386_880
    received = time
    lines: list[StoredLine] = []
    stream = _lines(rng)
    while len(lines) < count:
        level, source, text = next(stream)
        time += int(rng.expovariate(1 / 60_000)) + 37
        if len(lines) % batch == 0:
            received = time + 200_000 + rng.randrange(80_000)
        lines.append(StoredLine(time, level, source, text, received, late=False))
    return lines


def _lines(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """Level, source and text of one simulation after the other."""
    number = 0
    while True:
        number += 1
        phantom, mhz = rng.choice(PHANTOMS), rng.choice((700, 835, 1450, 2450, 3500, 5800))
        case = f"{rng.choice('xyz')}_{rng.choice(('pos', 'neg'))}_{rng.choice(('theta', 'phi'))}"
        folder = f"/srv/goliat/results/far_field/{phantom}/{mhz}MHz/environmental_{case}"
        project = f"{folder}/far_field_{phantom}_{mhz}MHz_environmental_{case}.smash"
        yield "progress", "status", f"--- Simulation {number}/48: {phantom}, {mhz}MHz, {case} ---"
        yield _verbose(f"Project path set to: {project}", "ProjectManager.create_or_open_project")
        for subtask in SUBTASKS:
            took = f"done in {rng.lognormvariate(1, 1.2):.2f}s"
            yield _verbose(f"      - Subtask 'setup_{subtask}' {took}", "FarFieldSetup.run_full_setup")
        for tissue in rng.sample(TISSUES, 6):
            values = f"eps_r={rng.uniform(5, 60):.4f}, sigma={rng.uniform(0.01, 3):.5f} S/m"
            density = f"rho={rng.uniform(900, 1900):.1f} kg/m3"
            text = f"  - Assigned material '{tissue}' at {mhz} MHz: {values}, {density}"
            yield _verbose(text, "MaterialSetup.assign_materials")
        x, y, z = (rng.randrange(180, 900) for _ in range(3))
        yield _verbose(f"Number of cells: {x}x{y}x{z} = {x * y * z} cells = {x * y * z / 1e6:.3f} MCells", "")
        yield _verbose(f"Saving project to {project}...", "ProjectManager.save")
        text = f"Running iSolve with acceleware on {rng.getrandbits(64):016x}_Input.h5"
        yield _verbose(text, "ISolveManualStrategy._prepare_isolve_command")
        for _ in range(14):
            energy, memory = f"{rng.uniform(-60, 0):.6f} dB", f"{rng.uniform(2, 22):.3f} GiB"
            elapsed = f"{rng.uniform(1800, 2200):.1f} s elapsed"
            yield _verbose(f"Time step {rng.randrange(50_000)}: energy {energy}, memory {memory}, {elapsed}", "")
        for percent in (0, 33, 66):
            left = f"{rng.randrange(90)} seconds remaining @ {rng.uniform(900, 2400):.1f} MCells/s"
            yield "default", "status", f"      - FDTD: {percent}% ({left})"
        for tissue in rng.sample(TISSUES, 7):
            sar = f"SAR {rng.lognormvariate(-9, 2):.4e} W/kg, peak {rng.lognormvariate(-7, 2):.4e} W/kg"
            text = f"    - {tissue}: mass {rng.uniform(0.001, 20):.6f} kg, {sar}"
            yield _verbose(text, "SarExtractor.extract_sar_statistics")
        yield "success", "status", f"    - Done in {rng.uniform(60, 300):.2f}s"


def _verbose(text: str, caller: str) -> tuple[str, str, str]:
    """As GOLIAT dresses it for its terminal."""
    colour = 34 if caller else 37
    where = f"[{caller}]" if caller else ""
    return "verbose", "terminal_only", f"\x1b[{colour}m{text}\x1b[0m \x1b[30m\x1b[2m{where}\x1b[0m"
