"""The `aqa` command."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline import config as settings
from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError, nearest

ROOMS = ("datasets", "protocols", "detection", "athlete", "pose", "features", "systems", "metrics")

app = typer.Typer(
    help="Action quality assessment, from competition video to score tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point; a user's mistake is one line and exit status 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


@app.command("list")
def list_plugins(room: Annotated[str, typer.Argument(help=f"one of: {', '.join(ROOMS)}")] = "") -> None:
    """What can be named in the configuration, each with the first line of its documentation."""
    import ast

    from rich.console import Console
    from rich.table import Table

    if room and room not in ROOMS:
        raise InputError(f"no room '{room}': {nearest(room, ROOMS)}")
    table = Table("room", "name", "what it is")
    for each in [room] if room else ROOMS:
        for name in plugins.available(each):
            text = ast.get_docstring(ast.parse(plugins.source(each, name).read_text())) or ""
            table.add_row(each, name, text.partition("\n")[0])
    Console().print(table)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="config.yaml, then what lies over it, as with --configfile")],
) -> None:
    """Check a configuration without running anything."""
    import yaml
    from snakemake.utils import update_config

    merged: dict = {}
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: no such configuration file")
        try:
            update_config(merged, yaml.safe_load(file.read_text()) or {})
        except yaml.YAMLError as error:
            raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    found = settings.check(merged)
    rows = sum(len(found.tables[table].rows) for table in found.make_tables)
    typer.echo(f"good: {len(found.make_tables)} table(s), {rows} rows")


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration."""
    typer.echo(settings.schema(), nl=False)


@app.command()
def watch(
    results: Annotated[Path, typer.Option(help="the results folder of a run")] = Path("results"),
    seconds: Annotated[float, typer.Option(help="stop after so long without news")] = 60,
) -> None:
    """Show how far the stages that run at the moment are."""
    from rich.live import Live
    from rich.table import Table

    with Live(refresh_per_second=2) as live:
        while running := stages_in_progress(results / "logs", within=seconds):
            table = Table("stage", "of", "progress")
            for row in running:
                table.add_row(*row)
            live.update(table)
            time.sleep(0.5)


def stages_in_progress(logs: Path, *, within: float) -> list[tuple[str, str, str]]:
    """Stage, file name and last progress line of every log that changed in the last `within` seconds."""
    found = []
    for log in sorted(logs.glob("*/*.log")):
        if time.time() - log.stat().st_mtime > within:
            continue
        lines = log.read_text(errors="replace").splitlines()
        progress = [line for line in lines if re.search(r": \d+ (of|done)", line)]
        if progress and " done in " not in progress[-1]:
            found.append((log.parent.name, log.stem, progress[-1].partition(": ")[2]))
    return found


if __name__ == "__main__":
    main()
