"""Stages: one thin script a rule, named like the rule. It opens, calls a room below, and writes.

Each is a typed function that a test can call and `python -m aqa_pipeline.stages.<name> --help` explains.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import inspect
import itertools
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from aqa_pipeline import stores
from aqa_pipeline.errors import ABSENT, AbsentError, InputError

log = logging.getLogger("aqa_pipeline")


def _mapping(value: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(json.loads(value) if isinstance(value, str) else value)
    except (json.JSONDecodeError, TypeError, ValueError) as error:
        raise typer.BadParameter(f"found {value!r}, expected a JSON object such as '{{\"name\": 1}}'") from error


Options = Annotated[dict, typer.Option(parser=_mapping, metavar="JSON", help="options of the plugin, a JSON object")]


def command_line(function: Callable[..., None]) -> None:
    """Run a stage function from the command line; options and help come from its signature.

    A mistake of the user is one line on standard error and exit status 2.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    _keep_freed_memory()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(_with_options(function))
    try:
        app()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno is None:
            raise
        sys.exit(f"error: {error.filename or 'writing'}: {os.strerror(error.errno)}; nothing was left half-written")
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        said = str(error).partition("\n")[0] or "Python could not allocate more"
        sys.exit(f"error: not enough memory ({said}); more shards or a smaller batch need less at once")


def _keep_freed_memory() -> None:
    """Let the C library (glibc) use freed memory again.

    By itself it hands every large block back to the system, which fills the pages of the next one with zeros: a tenth
    of the time of a picture network on a CPU.
    """
    trim_threshold, mmap_threshold = -1, -3  # names of mallopt(3); each alone stops the other from adapting
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 32 * 2**20)
        mallopt(trim_threshold, 256 * 2**20)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of the machine or a GPU; torch and OpenCV say so in words alone."""
    words = ("can't allocate memory", "out of memory", "Insufficient memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Keyword-only parameters become options, also those without a default, which typer would take for arguments."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    signature = inspect.signature(function, eval_str=True)
    call.__signature__ = signature.replace(
        parameters=[
            parameter.replace(default=typer.Option(...)) if _is_bare(parameter) else parameter
            for parameter in signature.parameters.values()
        ]
    )
    return call


def _is_bare(parameter: inspect.Parameter) -> bool:
    """Keyword-only, without a default, and not yet said to be an option."""
    said = hasattr(parameter.annotation, "__metadata__")
    return parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty and not said


def progress(items: Iterable[Any], label: str, total: int | None = None, every: float = 2.0) -> Iterator[Any]:
    """Pass items through and log how far it is, at most once in `every` seconds (`aqa watch` shows these lines)."""
    total = len(items) if total is None and hasattr(items, "__len__") else total
    started = shown = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown >= every:
            shown = now
            left = f", {(total - done) * (now - started) / done:.0f} s left" if total else ""
            log.info("%s: %d of %s, %.1f/s%s", label, done, total or "?", done / (now - started), left)
    log.info("%s: %d done in %.1f s", label, done, time.monotonic() - started)


def made_by(stage: str, *inputs: stores.Reader, **facts: Any) -> dict[str, Any]:
    """What made a store, kept in its attributes: stage, options, library versions, and how its `inputs` were made."""
    libraries = {"python": platform.python_version()}
    for name in ("aqa-pipeline", "numpy", "opencv-python-headless", "torch", "ai-edge-litert", "onnxruntime", "mmpose"):
        with contextlib.suppress(PackageNotFoundError):
            libraries[name] = version(name)
    made = dict(stage=stage, **facts, libraries=libraries)
    return {**made, "inputs": {store.kind: store.recipe for store in inputs}} if inputs else made


def each_video(
    video_ids: Iterable[str], store: stores.Writer, stage: str, make: Callable[[str], tuple[dict, dict]]
) -> None:
    """Put `make(video_id) -> (arrays, facts)` into the store, video by video.

    A video that cannot be used is recorded with its reason and left out; the run goes on with the others. One that is
    not there is recorded under the stage `absent`.
    """
    for video_id in progress(list(video_ids), stage):
        try:
            arrays, facts = make(video_id)
        except AbsentError as error:
            log.info("%s: absent: %s", video_id, error)
            store.fail(video_id, ABSENT, str(error))
        except InputError as error:
            log.warning("%s: left out: %s", video_id, error)
            store.fail(video_id, stage, str(error))
        else:
            store.put(video_id, arrays, **facts)


def each_result(
    results: Iterable[tuple[tuple[str, str], Any]],
    store: stores.Writer,
    stage: str,
    facts: Callable[[str], dict],
    total: int | None = None,
) -> None:
    """Put results `((video_id, name), array or InputError)` into the store, the arrays of a video one after the other.

    The counterpart of `each_video` where videos are batched with each other.
    """
    of_videos = itertools.groupby(results, key=lambda result: result[0][0])
    gathered = ((video_id, [(key[1], array) for key, array in own]) for video_id, own in of_videos)
    for video_id, named in progress(gathered, stage, total):
        error = next((array for _, array in named if isinstance(array, InputError)), None)
        if error is not None:
            log.warning("%s: left out: %s", video_id, error)
            store.fail(video_id, stage, str(error))
        else:
            store.put(video_id, dict(named), **facts(video_id))


def use_threads(threads: int) -> None:
    """Hold the libraries of this process to so many busy threads."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch, ONNX Runtime and BLAS when they are loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
