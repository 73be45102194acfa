"""What the pages do not say by hand: systems with their papers, rows and parity, other plugins, the command, the API.

Hooks of mkdocs.yml. Everything is read from where it stands: the plugins' sources, `config.yaml`, `experiments/`, the
ledger, `README.md` and `docs/parity.md`.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache
from pathlib import Path

import griffe
import typer
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from aqa_pipeline import cli, ledger, plugins
from aqa_pipeline.about import ROOMS, About, about

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^<!-- section: (\S+): (.+) -->$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")

OTHER_ROOMS = [room for room in ROOMS if room != "systems"]

# Modules without a room, and rooms, in the order of CONTRIBUTING's floors; plugins have pages of their own.
API = [
    *("errors", "plugins", "about", "keypoint_sets", "dive_numbers", "transitions", "shards", "batches", "streams"),
    *("untrusted", "mat5", "coco", "trajectories", "ledger", "metrics", "layers", "backbones", "weights", "simdive"),
    *("stores", "frames", "shots", "labelled", "datasets", "protocols", "detection", "athlete", "pose", "features"),
    *("systems", "training", "evaluation", "audit", "stages", "config", "availability", "own_videos", "doctor"),
]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Generated pages stand at the end of the navigation."""
    config.nav += [
        {"Systems": ["systems/index.md", *(f"systems/{name}.md" for name in plugins.available("systems"))]},
        {"Reference": [{"The command": "command.md"}, *({room: f"plugins/{room}.md"} for room in OTHER_ROOMS)]},
        {"Measured": [f"benchmarks/{path.name}" for path in measured()]},
        {"API": ["api/index.md", *({name: f"api/{name}.md"} for name in API)]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for uri, text in pages().items():
        files.append(File.generated(config, uri, content=text))
    for picture in sorted((ROOT / "benchmarks").glob("*.png")):
        files.append(File.generated(config, f"benchmarks/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """A line `<!-- section: FILE: HEADING -->` becomes that section of a file of the top level.

    What lies beside docs/ in the repository lies below it in the site.
    """
    return SECTION.sub(lambda found: section(found[1], found[2]), markdown.replace("](../benchmarks/", "](benchmarks/"))


def measured() -> list[Path]:
    """What benchmarks/ holds in words."""
    return sorted((ROOT / "benchmarks").glob("*.md"))


def pages() -> dict[str, str]:
    """Markdown by address."""
    systems = {f"systems/{name}.md": page_of_system(name) for name in plugins.available("systems")}
    rooms = {f"plugins/{room}.md": page_of_room(room) for room in OTHER_ROOMS}
    api = {f"api/{name}.md": page_of_api(name) for name in API}
    return {
        "systems/index.md": list_of_systems(),
        "command.md": page_of_command(),
        "api/index.md": list_of_api(),
        **{f"benchmarks/{path.name}": path.read_text() for path in measured()},
        **systems,
        **rooms,
        **api,
    }


# Sections of other files.


def section(file: str, heading: str) -> str:
    """The text under a heading of the second level, without the links that lead out of docs/."""
    found = sections(ROOT / file)
    if heading not in found:
        raise PluginError(f"{file} has no section '{heading}', but {', '.join(found)}")
    return LINK.sub(_inside, found[heading])


def _inside(link: re.Match) -> str:
    text, address = link.groups()
    if address.startswith(("http:", "https:", "#")) or re.match(r"benchmarks/\w+\.md", address):
        return link[0]
    return f"[{text}]({address.removeprefix('docs/')})" if address.startswith("docs/") else text


@cache
def sections(path: Path) -> dict[str, str]:
    """Text by heading of the second level."""
    parts = re.split(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
    return {heading: text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


# Systems.


def list_of_systems() -> str:
    rows = [
        (
            f"[`{name}`]({name}.md)",
            about("systems", name).headline,
            str(len(published(name)) or "-"),
            "compared" if parity_sections(name) else "-",
        )
        for name in plugins.available("systems")
    ]
    return "\n".join(
        [
            "# Systems",
            "",
            "One file each of `aqa_pipeline/systems`, with its paper, its rows and how close it is to code that was"
            " released. `aqa show systems NAME` says the same in a terminal.",
            "",
            *table(["system", "what it is", "published figures", "released code"], rows),
        ]
    )


def page_of_system(name: str) -> str:
    found = about("systems", name)
    return "\n\n".join(
        [
            f"# `{name}`",
            described(found),
            "## Its rows",
            rows_of(name),
            "## Published figures",
            "\n".join(figures_of(name)),
            "## Parity",
            parity_of(name),
        ]
    )


def rows_of(name: str) -> str:
    """Variants of config.yaml, what of the default table is theirs, and the experiments that make more."""
    variants = yaml.safe_load((ROOT / "config.yaml").read_text())["systems"].get(name, {})
    rows = [(f"`{name}.{variant}`", trained_on(block)) for variant, block in variants.items()]
    parts = ["\n".join(table(["row of config.yaml", "trained on"], rows))] if rows else ["None in config.yaml."]
    heading, rule, *lines = re.findall(r"^\|.*\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    default = [line for line in lines if line.startswith(f"| `{name}.")]
    if default:
        parts += ["In the default table, on 400 simulated dives:", "\n".join([heading, rule, *default])]
    files = sorted(path.name for path in (ROOT / "experiments").glob("*.yaml") if f"{name}." in path.read_text())
    if files:
        parts.append("Made by " + ", ".join(f"`experiments/{file}`" for file in files) + ".")
    return "\n\n".join(parts)


def trained_on(block: dict) -> str:
    features = block.get("features")
    words = (
        [f"`{features}`"] if isinstance(features, str) else [f"`{role}: {f}`" for role, f in (features or {}).items()]
    )
    if "frames" in block:
        words.append("pictures, end to end")
    return ", ".join(words) or "the samples alone"


@cache
def published(name: str) -> list[ledger.Figure]:
    return [figure for figure in ledger.read() if figure.system == name]


def figures_of(name: str) -> list[str]:
    """A table of the ledger's figures; an empty one says so."""
    if not published(name):
        return ["None in the ledger."]
    rows = [
        (
            f.variant,
            f.dataset,
            f.setting,
            f.metric,
            f.printed,
            f.evidence,
            f.source + (f" ({f.note})" if f.note else ""),
        )
        for f in published(name)
    ]
    return table(["variant", "data set", "setting", "metric", "printed", "evidence", "source"], rows)


def parity_of(name: str) -> str:
    """What docs/parity.md says of a system: its tables, its options, what could not be compared."""
    parity = sections(ROOT / "docs/parity.md")
    tables = [f"### {heading}\n\n{parity[heading]}" for heading in parity_sections(name)]
    differs = parity["What differs on purpose"]
    heading, rule, *lines = re.findall(r"^\|.*\|$", differs, re.MULTILINE)
    own = [line for line in lines if f"`{name}`" in line.split("|")[1]]
    options = ["What differs on purpose:\n\n" + "\n".join([heading, rule, *own])] if own else []
    bullets = re.split(r"^- ", parity["What could not be compared"], flags=re.MULTILINE)[1:]
    lacking = [" ".join(text.split()) for text in bullets if _is_about(text, name)]
    parts = [*tables, *options, *lacking]
    link = "How it was measured: [Parity with released code](../parity.md)."
    return "\n\n".join([*parts, link]) if parts else "No code of it was released; nothing was compared."


def parity_sections(name: str) -> list[str]:
    """Headings of docs/parity.md that name a system: "USDL and MUSDL" names two."""
    headings = sections(ROOT / "docs/parity.md")
    return [heading for heading in headings if name in map(_as_name, heading.split(" and "))]


def _is_about(bullet: str, name: str) -> bool:
    bold = re.match(r"\*\*(.+?)\*\*", bullet)
    return f"`{name}`" in bullet or bool(bold and f"_{name}_" in f"_{_as_name(bold[1])}_")


def _as_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


# Other plugins, the command, the API.


def page_of_room(room: str) -> str:
    named = [f"## `{name}`\n\n{described(about(room, name))}" for name in plugins.available(room)]
    return "\n\n".join(
        [f"# Plugins: {room}", f"Files of `aqa_pipeline/{room}`, by their names in `config.yaml`.", *named]
    )


def described(found: About) -> str:
    """Documentation and options of a plugin."""
    rows = [
        (f"`{option.name}`", "must be given" if option.default is None else f"`{option.default}`", option.meaning)
        for option in found.options
    ]
    options = ["\n".join(table(["option", "default", "what it means"], rows))] if rows else []
    return "\n\n".join([*filter(None, (safe(found.text), safe(found.usage))), *options])


def page_of_command() -> str:
    """Every command, as its help says it."""
    from typer.cli import get_docs_for_click

    command = typer.main.get_command(cli.app)
    context = typer.Context(command, info_name="aqa")
    text = get_docs_for_click(obj=command, ctx=context, name="aqa").partition("\n")[2]
    summaries = r"\*\*Commands\*\*:\n\n(\* .+\n)+"  # cut off after a few words
    return "# The command\n\n" + re.sub(summaries, "", text)


def list_of_api() -> str:
    rows = [(f"[`aqa_pipeline.{name}`]({name}.md)", first_line(name)) for name in API]
    about_it = "What can be imported, room by room, lowest floor first ([How the house is built](../house.md))."
    return "\n".join(["# API", "", about_it, "", *table(["module", "what it is"], rows)])


def first_line(name: str) -> str:
    import ast

    path = ROOT / "aqa_pipeline" / f"{name}.py"
    path = path if path.is_file() else path.with_suffix("") / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def page_of_api(name: str) -> str:
    return f"# {name}\n\n::: aqa_pipeline.{name}\n"


# Markdown.


def table(heading: list[str], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def safe(text: str) -> str:
    """A docstring as Markdown: lists of definitions keep their lines, angle brackets are no tags."""
    return "\n\n".join(map(_paragraph, text.split("\n\n")))


def _paragraph(text: str) -> str:
    lines = text.splitlines()
    if not any(line.startswith(" ") for line in lines):
        return _without_tags(text)
    if defined := _definitions(lines):
        return "\n".join(f"- `{name}`: {_without_tags(meaning)}" for name, meaning in defined)
    return "\n".join(["```text", *textwrap.dedent(text).splitlines(), "```"])


def _definitions(lines: list[str]) -> list[tuple[str, str]]:
    """Names and meanings of an indented list of definitions; none where the lines are something else."""
    found: list[tuple[str, str]] = []
    for line in lines:
        depth = len(line) - len(line.lstrip())
        name, *meaning = re.split(r" {2,}", line.strip())
        if depth == len(lines[0]) - len(lines[0].lstrip()) and len(meaning) == 1:
            found.append((name, meaning[0]))
        elif found and depth > len(lines[0]) - len(lines[0].lstrip()) and not meaning:
            found[-1] = (found[-1][0], f"{found[-1][1]} {name}")
        else:
            return []
    return found


def _without_tags(text: str) -> str:
    """Angle brackets outside of code as characters."""
    return "`".join(part.replace("<", "&lt;") if i % 2 == 0 else part for i, part in enumerate(text.split("`")))


class Definitions(griffe.Extension):
    """Docstrings as numpydoc wants them, which knows no `name : meaning` and no prose after the parameters.

    Angle brackets in their prose are characters.
    """

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring and PARAMETERS in obj.docstring.value:
            obj.docstring.value = rearranged(obj.docstring.value)
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(p if "\n " in f"\n{p}" else _without_tags(p) for p in paragraphs)


PARAMETERS = "Parameters\n---"


def rearranged(text: str) -> str:
    """A docstring with its prose before the parameters, and the meaning of each on the line below its name."""
    before, _, after = text.partition(PARAMETERS)
    rule, *paragraphs = after.split("\n\n")
    is_section = [bool(re.match(r" |\w+\n---", paragraph)) for paragraph in paragraphs]
    prose = [paragraph for paragraph, section in zip(paragraphs, is_section, strict=True) if not section]
    sections = [paragraph for paragraph, section in zip(paragraphs, is_section, strict=True) if section]
    listed = re.sub(r"^(\w+(?:, \w+)*) : (.+)$", r"\1\n    \2", rule, flags=re.MULTILINE)
    return "\n\n".join([before.strip(), *prose, PARAMETERS + listed, *sections])
