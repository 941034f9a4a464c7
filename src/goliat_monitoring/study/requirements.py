"""What an assignment demands of a machine: "vram>=24", "gpu=RTX 4090", "tag=fast", "goliat>=1.5"."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_FORM = re.compile(r"\s*(vram|gpu|tag|goliat)\s*(>=|=)\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)
_OPERATOR = {"vram": ">=", "gpu": "=", "tag": "=", "goliat": ">="}
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")
_FORMS = "Write vram>=24, gpu=RTX 4090, tag=fast or goliat>=1.5."
MAX_TEXT = 100
MAX_NAMES = 50


class RequirementProblem(ValueError):
    """A requirement that cannot be read; the text says what to write."""


class MachineFacts(NamedTuple):
    """What is known of a machine; empty or 0 is unknown. `vram_bytes`: memory of its GPU."""

    gpu: str = ""
    vram_bytes: int = 0
    tags: Sequence[str] = ()
    goliat: str = ""


class Verdict(NamedTuple):
    """Whether a machine will do; `reason` says why not, and is empty when it will."""

    met: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Requirements:
    """A checked demand; empty parts demand nothing.

    `vram_gb`: at least so many GB of 10⁹ bytes, so that a card sold as 24 GB has 24. `gpus`: one of these must be part
    of the GPU's name, word for word. `tags`: all of them. `goliat`: at least this version.
    """

    vram_gb: float = 0.0
    gpus: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    goliat: str = ""

    def meets(self, facts: MachineFacts) -> Verdict:
        """Whether a machine meets the demand. What is not known of it counts as not met. Case does not matter."""
        reasons: list[str] = []
        if self.vram_gb and facts.vram_bytes <= 0:
            reasons.append(f"its VRAM is unknown, {self.vram_gb:g} GB are needed")
        elif facts.vram_bytes < self.vram_gb * 1e9:
            reasons.append(f"it has {facts.vram_bytes / 1e9:.0f} GB of VRAM, {self.vram_gb:g} GB are needed")
        if self.gpus and not any(names_gpu(facts.gpu, gpu) for gpu in self.gpus):
            reasons.append(f"its GPU is {facts.gpu or 'unknown'}, {' or '.join(self.gpus)} is needed")
        own = {tag.casefold() for tag in facts.tags}
        lacking = [tag for tag in self.tags if tag.casefold() not in own]
        if lacking:
            reasons.append(f"it lacks the tag {', '.join(lacking)}")
        if self.goliat:
            version = _VERSION.match(facts.goliat.strip())
            if version is None:
                reasons.append(f"its GOLIAT version is unknown, {self.goliat} is needed")
            elif _numbers(version[0]) < _numbers(self.goliat):
                reasons.append(f"it has GOLIAT {version[0]}, {self.goliat} is needed")
        return Verdict(not reasons, "; ".join(reasons))

    def to_json(self) -> dict[str, Any]:
        """A JSON object without the parts that demand nothing."""
        parts: dict[str, Any] = {
            "vramGb": self.vram_gb,
            "gpus": list(self.gpus),
            "tags": list(self.tags),
            "goliat": self.goliat,
        }
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Requirements":
        """What `to_json` wrote. Raises `RequirementProblem` for anything else."""
        known = {"vramGb", "gpus", "tags", "goliat"}
        if not isinstance(value, Mapping) or not set(value) <= known:
            raise RequirementProblem(f"Requirements have the keys {', '.join(sorted(known))}.")
        texts = [f"{key}={item}" for key, name in (("gpu", "gpus"), ("tag", "tags")) for item in value.get(name, [])]
        texts += [f"vram>={value['vramGb']}"] if value.get("vramGb") else []
        texts += [f"goliat>={value['goliat']}"] if value.get("goliat") else []
        return parse(texts)

    def __str__(self) -> str:
        """As it would be written, the parts separated by commas."""
        texts = [f"vram>={self.vram_gb:g}"] if self.vram_gb else []
        texts += [f"gpu={gpu}" for gpu in self.gpus] + [f"tag={tag}" for tag in self.tags]
        texts += [f"goliat>={self.goliat}"] if self.goliat else []
        return ", ".join(texts)


def parse(texts: Iterable[str]) -> Requirements:
    """Requirements from texts of one demand each. Several GPUs: any of them; several tags: all; else the strictest.

    Raises:
        RequirementProblem: other text.
    """
    vram, goliat = 0.0, ""
    names: dict[str, list[str]] = {"gpu": [], "tag": []}
    for text in texts:
        found = _FORM.fullmatch(text)
        if not found or len(text) > MAX_TEXT or not found[3].isprintable() or not found[3]:
            raise RequirementProblem(f"The requirement {text!r:.80} cannot be read. {_FORMS}")
        subject, operator, value = found[1].lower(), found[2], found[3]
        if operator != _OPERATOR[subject]:
            meant = value.lstrip("<>=~ ")
            raise RequirementProblem(f"Write {subject}{_OPERATOR[subject]}{meant}, not {subject}{operator}{value}.")
        if subject == "vram":
            vram = max(vram, _gigabytes(value))
        elif subject == "goliat":
            if not _VERSION.fullmatch(value):
                raise RequirementProblem(f"{value!r} is no version. Write goliat>=1.5.")
            goliat = max(goliat, value, key=_numbers)
        elif value.casefold() not in map(str.casefold, names[subject]):
            names[subject].append(value)
    if any(len(values) > MAX_NAMES for values in names.values()):
        raise RequirementProblem(f"At most {MAX_NAMES} GPUs and {MAX_NAMES} tags can be named.")
    return Requirements(vram, tuple(names["gpu"]), tuple(names["tag"]), goliat)


def _gigabytes(text: str) -> float:
    found = re.fullmatch(r"(\d{1,5}(?:\.\d{1,3})?)\s*(?:GB)?", text, re.IGNORECASE)
    if not found or not float(found[1]):
        raise RequirementProblem(f"{text!r} is no amount of memory in GB. Write vram>=24.")
    return float(found[1])


def _numbers(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".") if part]
    return tuple(parts + [0] * (4 - len(parts)))


def names_gpu(name: str, wanted: str) -> bool:
    """Whether the words of `wanted` stand side by side in a GPU's `name`; case does not matter."""
    return f" {' '.join(wanted.casefold().split())} " in f" {' '.join(name.casefold().split())} "
