"""What the server hands to the writer reaches another process: functions of the store, never of a moment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import goliat_monitoring

SERVER = Path(goliat_monitoring.__file__).parent / "server"
STORE = "goliat_monitoring.store"
WRITES = {"write", "submit", "write_together"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """One file: what of it is written, and what is wrong with that."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.parents = {child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}
        self.imported = {
            alias.asname or alias.name: node.module or ""
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def writes(self) -> Iterator[ast.expr]:
        """The units that are handed to a database."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                receiver = ast.unparse(node.func.value)
                if receiver == "db" or receiver.endswith(".db"):
                    yield node.args[0]

    def wrongs(self, unit: ast.expr) -> Iterator[str]:
        """Why `unit` does not travel; nothing where it does."""
        if isinstance(unit, ast.IfExp):
            yield from self.wrongs(unit.body)
            yield from self.wrongs(unit.orelse)
        elif isinstance(unit, ast.Call) and ast.unparse(unit.func) == "partial":
            yield from self.wrongs(unit.args[0])
            for value in [*unit.args[1:], *(keyword.value for keyword in unit.keywords)]:
                if any(isinstance(part, ast.Lambda) for part in ast.walk(value)):
                    yield self._say(value, "a lambda among the arguments")
        elif isinstance(unit, ast.Name | ast.Attribute) and self._is_of_store(unit):
            pass
        elif isinstance(unit, ast.Name):
            meant = list(self._meant(unit))
            if not meant:
                yield self._say(unit, "no function of the store")
            for one in meant:
                yield from self.wrongs(one)
        else:
            yield self._say(unit, "neither a function of the store nor a partial of one")

    def _is_of_store(self, unit: ast.expr) -> bool:
        while isinstance(unit, ast.Attribute):
            unit = unit.value
        return isinstance(unit, ast.Name) and self.imported.get(unit.id, "").startswith(STORE)

    def _meant(self, name: ast.Name) -> Iterator[ast.expr]:
        """What a local name stands for: what it was set to, or what callers within this module hand over."""
        function: ast.AST = name
        while not isinstance(function, Function):
            function = self.parents[function]
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name.id:
                yield node.value
        arguments = [argument.arg for argument in function.args.args if argument.arg != "self"]
        if name.id in arguments:
            place = arguments.index(name.id)
            for node in ast.walk(self.tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == function.name:
                    yield node.args[place]

    @staticmethod
    def _say(node: ast.expr, problem: str) -> str:
        return f"line {node.lineno}: {ast.unparse(node)}: {problem}"


def test_all_that_the_server_writes_is_a_function_of_the_store() -> None:
    wrong: list[str] = []
    seen = 0
    for path in sorted(SERVER.rglob("*.py")):
        module = Module(path.read_text("utf-8"))
        for unit in module.writes():
            seen += 1
            wrong += [f"{path.relative_to(SERVER)}, {text}" for text in module.wrongs(unit)]
    assert wrong == []
    assert seen > 30, "the search found next to nothing: is the database called otherwise now?"


HEAD = "from functools import partial\nfrom goliat_monitoring.store import runs\n"


@pytest.mark.parametrize(
    "body",
    [
        "async def f(services): await services.db.write(lambda c: runs.end(c))",
        "async def f(db): db.submit(partial(runs.end, choose=lambda it: it))",
        "async def f(db):\n    def unit(c): runs.end(c)\n    await db.write(unit)",
        "async def f(db):\n    unit = lambda c: runs.end(c)\n    await db.write(partial(unit, a=1))",
        "async def f(db, a): await db.write(runs.end if a else lambda c: None)",
        "def here(c): runs.end(c)\nasync def f(db): await db.write_together(here, 1)",
        "async def f(db, unit): await db.write(unit)\nasync def g(db): await f(db, lambda c: runs.end(c))",
    ],
)
def test_what_cannot_travel_is_found(body: str) -> None:
    module = Module(HEAD + body)
    (unit,) = module.writes()
    assert list(module.wrongs(unit))


@pytest.mark.parametrize(
    "body",
    [
        "async def f(services): await services.db.write(runs.end)",
        "async def f(db, a): await db.write(partial(runs.end, a=a) if a else runs.end)",
        "async def f(db):\n    unit = partial(runs.end, a=1)\n    await db.write(unit)",
        "async def f(db, unit): await db.write(partial(unit, a=1))\nasync def g(db): await f(db, runs.end)",
    ],
)
def test_what_travels_passes(body: str) -> None:
    module = Module(HEAD + body)
    (unit,) = module.writes()
    assert list(module.wrongs(unit)) == []
