"""OpenMMLab without what heatmap and SimCC estimators never call: mmcv's compiled operators, and torchvision.

mmpose imports both by name when it is imported, for heads and drawings that are not used here. Modules of placeholders
stand in for them: a class that can be named and derived from, and that raises when it is made. Of torchvision also
where it is installed, for it may not fit the torch at hand (see `layers/torchvision.py`).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from aqa_pipeline.errors import InputError


def modules(*names: str) -> list[ModuleType]:
    """The named modules of OpenMMLab, imported; InputError where this environment does not hold them."""
    if importlib.util.find_spec("mmpose") is None:
        raise InputError(f"mmpose is not installed in {sys.prefix}: run `make mmpose`, and .venv-mmpose/bin/python")
    with stood_in():
        return [importlib.import_module(name) for name in names]


@contextmanager
def stood_in() -> Iterator[None]:
    """Only while OpenMMLab is imported: others may ask whether torchvision is there, and must hear the truth."""
    finder = _Finder(
        [
            *(["mmcv.ops"] if importlib.util.find_spec("mmcv._ext") is None else []),
            *(["torchvision"] if "torchvision" not in sys.modules else []),
        ]
    )
    before = set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "torchvision" and isinstance(sys.modules[name], _Placeholders):
                del sys.modules[name]


class _Placeholders(ModuleType):
    """Any public name is a class that cannot be made."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Placeholder,), {"__module__": self.__name__})


class _Placeholder:
    def __init__(self, *args: object, **kwargs: object) -> None:
        missing = f"{type(self).__module__}.{type(self).__name__}"
        raise InputError(f"{missing} is not installed, and this model needs it; expected a heatmap or SimCC estimator")


class _Finder(MetaPathFinder, Loader):
    """Answers for some roots and all below them."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        answers = any(name == root or name.startswith(f"{root}.") for root in self._roots)
        return ModuleSpec(name, self, is_package=True) if answers else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholders(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""
