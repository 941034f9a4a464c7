"""The lists that span a study: phantoms, frequencies, directions, placements. Read as GOLIAT reads them."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from goliat_monitoring.study.extends import Config, ConfigProblem

# What GOLIAT has directions and polarizations for; a direction may also be "theta_phi" in degrees.
SIDES = ("x_pos", "x_neg", "y_pos", "y_neg", "z_pos", "z_neg")
POLARIZATIONS = ("theta", "phi")
_ANGLES = re.compile(r"-?\d+(\.\d+)?_-?\d+(\.\d+)?")
# Far more than any axis of a real study; bounds what a hostile number of divisions can make us build.
MAX_AXIS = 10_000
# 1 THz; also keeps hostile numbers out of the arithmetic of the weights.
MAX_MHZ = 1_000_000


class Block(NamedTuple):
    """The simulations of one phantom at one frequency: (placement, how GOLIAT announces it), and the config's key."""

    phantom: str
    frequency: str
    placements: list[tuple[str, str]]
    source: str


class FarField(NamedTuple):
    """The lists of a far-field study. `frequencies`: as GOLIAT displays them, mapped to what the config says.

    `whole_degrees`: False where a tessellation has angles that the names of its directions cut off.
    """

    phantoms: list[str]
    frequencies: list[tuple[str, Any]]
    directions: list[str]
    polarizations: list[str]
    whole_degrees: bool


class Scenario(NamedTuple):
    """A placement scenario: each of its positions in each of its orientations."""

    name: str
    positions: tuple[str, ...]
    orientations: tuple[str, ...]


class NearField(NamedTuple):
    """The lists of a near-field study. `antennas`: MHz mapped to the config's key. `placed`: scenarios by phantom."""

    phantoms: list[str]
    antennas: list[tuple[str, str]]
    scenarios: list[Scenario]
    placed: dict[str, list[str]]


def far_field_axes(config: Config) -> FarField:
    """The lists of a resolved far-field config. Raises `ConfigProblem` for shapes that GOLIAT would misread."""
    setup = _object(config, "far_field_setup")
    environmental = _object(setup, "environmental", "far_field_setup.environmental")
    where = "far_field_setup.environmental"
    polarizations = _names(environmental.get("polarizations"), f"{where}.polarizations")
    tessellation = environmental.get("spherical_tessellation")
    whole = True
    if tessellation:
        directions, whole = _tessellated(tessellation, f"{where}.spherical_tessellation")
    else:
        directions = _names(environmental.get("incident_directions"), f"{where}.incident_directions")
    if len(directions) * len(polarizations) > MAX_AXIS:
        raise ConfigProblem(f"More than {MAX_AXIS} directions and polarizations.", key=where)
    return FarField(phantoms_of(config), _frequencies(config.get("frequencies_mhz")), directions, polarizations, whole)


def check_names(directions: Iterable[str], polarizations: Iterable[str]) -> None:
    """Raises `ConfigProblem` for a direction that GOLIAT cannot run, and for a polarization that it does not know: it
    would run that with whichever Sim4Life sets by itself, and store the result under the name."""
    where = "far_field_setup.environmental"
    for direction in directions:
        if direction not in SIDES and not _ANGLES.fullmatch(direction):
            raise ConfigProblem(
                f"There is no incident direction '{direction:.60}'. Use {', '.join(SIDES)}, or theta and phi in "
                "degrees: '90_45'.",
                key=f"{where}.incident_directions",
            )
    for polarization in polarizations:
        if polarization not in POLARIZATIONS:
            raise ConfigProblem(
                f"There is no polarization '{polarization:.60}'. Use theta and phi; GOLIAT would compute something "
                "else under that name.",
                key=f"{where}.polarizations",
            )


def near_field_axes(config: Config) -> NearField:
    """The lists of a resolved near-field config. Raises `ConfigProblem` for shapes that GOLIAT would misread."""
    antennas = [(_antenna(name), name) for name in _object(config, "antenna_config")]
    found = _object(config, "placement_scenarios")
    definitions = _object(config, "phantom_definitions")
    phantoms = phantoms_of(config)
    placed: dict[str, list[str]] = {}
    for phantom in phantoms:
        definition = _object(definitions, phantom, f"phantom_definitions.{phantom}")
        flags = _object(definition, "placements", f"phantom_definitions.{phantom}.placements")
        placed[phantom] = [name for name in found if flags.get(f"do_{name}")]
    used = {name for names in placed.values() for name in names}
    scenarios: list[Scenario] = []
    for name in found:
        where = f"placement_scenarios.{name}"
        # What no phantom uses is never read.
        details = _object(found, name, where) if name in used else {}
        positions = _object(details, "positions", f"{where}.positions")
        orientations = _object(details, "orientations", f"{where}.orientations")
        if len(positions) * len(orientations) > MAX_AXIS:
            raise ConfigProblem(f"More than {MAX_AXIS} positions and orientations.", key=where)
        scenarios.append(Scenario(name, tuple(positions), tuple(orientations)))
    return NearField(phantoms, antennas, scenarios, placed)


def far_field_blocks(config: Config) -> Iterator[Block]:
    """Phantom, then frequency; inside, direction then polarization."""
    axes = far_field_axes(config)
    placements = [
        (f"environmental_{direction}_{polarization}", f"{direction}, {polarization}")
        for direction in axes.directions
        for polarization in axes.polarizations
    ]
    for phantom in axes.phantoms:
        for frequency, _ in axes.frequencies:
            yield Block(phantom, frequency, placements, "frequencies_mhz")


def near_field_blocks(config: Config) -> Iterator[Block]:
    """Phantom, then antenna; inside, scenario, position, orientation."""
    axes = near_field_axes(config)
    for phantom in axes.phantoms:
        names = [
            f"{scenario.name}_{position}_{orientation}"
            for scenario in axes.scenarios
            if scenario.name in axes.placed[phantom]
            for position in scenario.positions
            for orientation in scenario.orientations
        ]
        placements = [(name, name) for name in names]
        for antenna, _ in axes.antennas:
            yield Block(phantom, antenna, placements, "placement_scenarios")


def phantoms_of(config: Config) -> list[str]:
    """The phantoms of a resolved config; a scalar counts as a list of one, as it does for the study.

    Raises:
        ConfigProblem: any other shape. An object is refused although the old splitter took it: the study does not.
    """
    value = config.get("phantoms")
    if isinstance(value, dict):
        raise ConfigProblem(
            "'phantoms' is an object; GOLIAT cannot run that. Write it as a list of names.", key="phantoms"
        )
    return _names([value] if isinstance(value, str) else value, "phantoms")


def _names(value: object, key: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ConfigProblem(f"'{key}' must be a list of names.", key=key)
    return list(value)


def _object(holder: Config, name: str, key: str = "") -> dict[str, Any]:
    value = holder.get(name)
    if not value:
        return {}
    if not isinstance(value, dict):
        raise ConfigProblem(f"'{key or name}' must be an object.", key=key or name)
    return value


def _frequencies(value: object) -> list[tuple[str, Any]]:
    if value is None:
        return []
    return [(frequency_name(item), item) for item in (value if isinstance(value, list) else [value])]


def frequency_name(item: object) -> str:
    """MHz as GOLIAT displays it; text with "+", or a list, is one simulation of several tones."""
    problem = ConfigProblem(f"{item!r:.60} is no frequency in MHz.", key="frequencies_mhz")
    if isinstance(item, str) and "+" in item:
        return "+".join(str(_integer(tone, problem)) for tone in item.split("+"))
    if isinstance(item, list) and item:
        return "+".join(str(_integer(tone, problem)) for tone in item)
    if isinstance(item, float) and 0 < item <= MAX_MHZ:
        return str(item)
    return str(_integer(item, problem))


def _integer(item: object, problem: ConfigProblem) -> int:
    if isinstance(item, bool) or not isinstance(item, (int, str)) or (isinstance(item, str) and len(item) > 20):
        raise problem
    try:
        number = int(item)
    except ValueError:
        raise problem from None
    if not 0 < number <= MAX_MHZ:
        raise problem
    return number


def _antenna(name: str) -> str:
    return str(_integer(name, ConfigProblem(f"The antenna '{name:.60}' is no frequency in MHz.", key="antenna_config")))


def _tessellated(value: object, key: str) -> tuple[list[str], bool]:
    """Names of the directions of a spherical grid, in whole degrees, and whether its angles are; a pole counts once."""
    if not isinstance(value, dict):
        raise ConfigProblem(f"'{key}' must be an object.", key=key)
    thetas = _angles(value, "theta", 180, 3, key)
    phis = _angles(value, "phi", 360, 4, key)
    directions: list[str] = []
    for theta in thetas:
        if theta in (0, 180):
            directions.append(f"{int(theta)}_0")
        else:
            directions += [f"{int(theta)}_{int(phi)}" for phi in phis]
        if len(directions) > MAX_AXIS:
            raise ConfigProblem(f"More than {MAX_AXIS} directions.", key=key)
    return directions, all(float(angle).is_integer() for angle in (*thetas, *phis))


def _angles(value: dict[str, Any], name: str, span: int, default: int, key: str) -> list[float]:
    if f"{name}_values" in value:
        values = value[f"{name}_values"]
        if not isinstance(values, list) or not all(_is_angle(angle) for angle in values):
            raise ConfigProblem(f"'{key}.{name}_values' must be a list of degrees.", key=f"{key}.{name}_values")
        return list(values)
    divisions = value.get(f"{name}_divisions", default)
    if isinstance(divisions, bool) or not isinstance(divisions, int) or not 0 < divisions <= MAX_AXIS:
        raise ConfigProblem(f"'{key}.{name}_divisions' must be a positive number.", key=f"{key}.{name}_divisions")
    # theta runs from pole to pole and includes both; phi comes back to where it began.
    points = divisions + 1 if span == 180 else divisions
    return [i * span / divisions for i in range(points)]


def _is_angle(angle: object) -> bool:
    return isinstance(angle, (int, float)) and not isinstance(angle, bool) and math.isfinite(angle) and abs(angle) < 1e6
