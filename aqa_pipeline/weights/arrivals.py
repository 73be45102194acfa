"""How weights get here: fetched from their authors, or given by hand. What is not as expected does not stay."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aqa_pipeline import untrusted, weights
from aqa_pipeline.errors import InputError


def fetch(name: str, folder: Path | None = None, *, progress: Any = None) -> Path:
    """Download the file of a registered name into `folder`, by default `$AQA_WEIGHTS` or else the user's cache.

    `progress` is a bar as pooch wants it, with `total`, `update`, `reset` and `close`.

    Raises
    ------
    InputError
        The name has no address, the address gives nothing, or something else than was expected; nothing is left.
    """
    import pooch
    import requests

    about = weights.entry(name)
    if about.get("from") != "url":
        raise InputError(f"weights '{name}': not fetched, they come with {about.get('distribution', 'this package')}")
    if "packed" in about:
        raise InputError(
            f"weights '{name}': not fetched, {about['url']} holds {about['packed']}; "
            f"unpack {about['file']} by hand and give it by `aqa weights add {name} FILE`"
        )
    pooch.get_logger().setLevel("WARNING")  # it would tell us to write down the hash, which `_admit` does
    folder = folder or (weights.folders()[0] if os.environ.get("AQA_WEIGHTS") else weights.folders()[-1])
    with _beside(folder) as temporary:
        try:
            over_http = pooch.HTTPDownloader(progressbar=progress or False)
            pooch.retrieve(about["url"], None, fname="arrived", path=temporary, downloader=over_http)
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(f"weights '{name}': {about['url']} cannot be fetched ({_why(error)})") from error
        return _admit(name, about, Path(temporary) / "arrived", Path(temporary), folder)


def add(name: str, file: Path, folder: Path | None = None) -> Path:
    """Copy a file, or the archive it is published in, into `folder`, by default `$AQA_WEIGHTS` or else `weights/`.

    Raises
    ------
    InputError
        The name has no address, or the file is not the one that was expected.
    """
    about = weights.entry(name)
    if about.get("from") != "url":
        raise InputError(f"weights '{name}': not added, they come with {about.get('distribution', 'this package')}")
    if not file.is_file():
        raise InputError(f"{file}: no such file, expected weights '{name}'")
    folder = folder or weights.folders()[0]
    with _beside(folder) as temporary:
        shutil.copyfile(file, Path(temporary) / "arrived")
        return _admit(name, about, Path(temporary) / "arrived", Path(temporary), folder)


def _beside(folder: Path) -> tempfile.TemporaryDirectory:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".arriving.", dir=folder)  # on the same disk, so that a move is whole


def _admit(name: str, about: Mapping[str, Any], arrived: Path, temporary: Path, folder: Path) -> Path:
    """Move what arrived to its place if it is what the registry says, and note its whole SHA-256 beside it."""
    whole = temporary / about["file"]
    if about["file"].endswith(".onnx") and zipfile.is_zipfile(arrived):
        _take_onnx(name, arrived, whole)
    else:
        arrived.rename(whole)
    weights.compare(whole, about, name)
    place = folder / about["file"]
    if "sha256" not in about:
        note = temporary / "note"
        note.write_text(f"{weights.digest(whole)}  {about['file']}\n")
        os.replace(note, place.with_name(f"{place.name}.sha256"))
    os.replace(whole, place)
    weights.forget()
    return place


def _take_onnx(name: str, archive: Path, to: Path) -> None:
    """The one network of an archive."""
    untrusted.unpack(archive, to.parent / "unpacked")
    found = list((to.parent / "unpacked").rglob("*.onnx"))
    if len(found) != 1:
        raise InputError(f"weights '{name}': the archive holds {len(found)} .onnx files, expected one")
    found[0].rename(to)


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
