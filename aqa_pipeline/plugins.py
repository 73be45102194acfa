"""A folder is its own registry: the file's name is the name in `config.yaml`.

Used by the workflow, the stage scripts, the command line and the tests alike.
"""

from __future__ import annotations

import ast
import functools
import importlib
from pathlib import Path
from types import ModuleType

from aqa_pipeline.errors import InputError, nearest

_PACKAGE = Path(__file__).parent


def available(room: str) -> list[str]:
    """Names of the plugins in a room, sorted; files that start with an underscore are private to it."""
    return sorted(path.stem for path in (_PACKAGE / room).glob("*.py") if not path.stem.startswith("_"))


def source(room: str, name: str) -> Path:
    """The file of a plugin; InputError with the nearest name where there is none."""
    if name not in available(room):
        raise InputError(f"no '{name}' in {room}: {nearest(name, available(room))}")
    return _PACKAGE / room / f"{name}.py"


def load(room: str, name: str) -> ModuleType:
    """Import one plugin."""
    return importlib.import_module(f"aqa_pipeline.{room}.{source(room, name).stem}")


def options(room: str, name: str, *functions: str) -> list[str]:
    """Keyword-only arguments of the first of `functions` that a plugin has, read from its source.

    Nothing is imported: the workflow checks the options of every system when it is parsed, before any job starts,
    and must not pay for torch there.
    """
    return [argument.arg for argument in _arguments(room, name, functions).kwonlyargs]


def offering(room: str, function: str) -> list[str]:
    """Names of the plugins that define a function, read from their source."""
    defined = {name: _body(source(room, name)) for name in available(room)}
    return [name for name, body in defined.items() if any(getattr(node, "name", None) == function for node in body)]


def required(room: str, name: str, *functions: str) -> list[str]:
    """Those of `options` that have no default."""
    arguments = _arguments(room, name, functions)
    return [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]


def defaults(room: str, name: str, *functions: str) -> dict[str, object]:
    """The literal defaults of `options`, None for one that has another or none."""
    arguments = _arguments(room, name, functions)
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: getattr(default, "value", None) for argument, default in pairs}


def _arguments(room: str, name: str, functions: tuple[str, ...]) -> ast.arguments:
    defined = {node.name: node for node in _body(source(room, name)) if isinstance(node, ast.FunctionDef)}
    for function in functions:
        if function in defined:
            return defined[function].args
    raise InputError(f"{room}/{name}.py has no function {' or '.join(functions)}")


def constant(room: str, name: str, variable: str) -> object:
    """A literal constant of a plugin (`source`, `needs`), read without importing it; None where it has none."""
    for node in _body(source(room, name)):
        if isinstance(node, ast.Assign) and any(getattr(t, "id", None) == variable for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def _body(path: Path) -> list[ast.stmt]:
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, changed: int) -> list[ast.stmt]:
    """Statements of a file, parsed once for each state of it: the workflow asks hundreds of times."""
    return ast.parse(path.read_text()).body
