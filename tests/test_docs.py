"""The pages of docs/: their examples run as they are printed, their messages are raised somewhere, all links lead on.

A block with a title is a file; lines of a `console` block that begin with `$` are commands, and what follows one is
what it says, with `...` for anything. Blocks of `sh` are not run: they need another machine or more time.
"""

from __future__ import annotations

import ast
import doctest
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import snakemake
from running import ROOT, clone

DOCS = ROOT / "docs"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
AFTER_THE_FIRST_RUN = ["own_data", "own_video", "paper", "add_system", "add_data_set", "add_back_end"]


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, title and text of the blocks of a page, in order."""
    return BLOCK.findall((DOCS / f"{page}.md").read_text())


def follow(page: str, folder: Path) -> None:
    """Do in a folder what a page says."""
    for language, title, text in blocks(page):
        if title:
            (folder / title).parent.mkdir(parents=True, exist_ok=True)
            (folder / title).write_text(text)
        elif language == "console":
            for command, said in commands(text):
                answer = run(command, folder)
                assert answer.returncode == 0, f"{command}\n{answer.stdout[-6000:]}"
                assert not said or is_like(said, answer.stdout), f"{command}\n{answer.stdout[-6000:]}\nexpected\n{said}"


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a console block with what it is to say."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    """As in a terminal in which the environment was activated."""
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder), "COLUMNS": "120"}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )


def is_like(expected: str, found: str) -> bool:
    return doctest.OutputChecker().check_output(expected, found, LIKE)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory) -> Path:
    """A house in which the page of the first run was followed."""
    folder = clone(tmp_path_factory.mktemp("docs") / "house")
    follow("first_run", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", AFTER_THE_FIRST_RUN)
def test_examples_do_what_the_page_says(page, first_run, tmp_path):
    folder = shutil.copytree(first_run, tmp_path / "house")
    follow(page, folder)


def test_every_page_with_an_example_is_followed():
    with_commands = [p.stem for p in DOCS.glob("*.md") if any(block[0] == "console" for block in blocks(p.stem))]
    assert sorted(with_commands) == sorted(["first_run", *AFTER_THE_FIRST_RUN])


def test_what_a_command_does_not_say_is_noticed():
    assert is_like("...\nnearest  default  ...\n", "table\nnearest default 0.3\n")
    assert not is_like("...\nnearest  default  ...\n", "table\nfarthest default 0.3\n")


@pytest.mark.parametrize("page", ["first_run", *AFTER_THE_FIRST_RUN])
def test_code_on_the_pages_is_written_as_in_the_house(page):
    for language, title, text in blocks(page):
        if language == "python":
            for arguments in (["check"], ["format", "--check"]):
                ruff = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(ROOT / title), "-"]
                answer = subprocess.run(ruff, input=text, capture_output=True, text=True, cwd=ROOT)
                assert answer.returncode == 0, f"{title}: {answer.stdout}{answer.stderr}"


# Messages.


def messages() -> list[str]:
    """The headings of the troubleshooting that are messages."""
    headings = re.findall(r"^### (`+)(.+?) ?\1$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    return [message for _, message in headings]


@cache
def raised() -> list[re.Pattern]:
    """Every text of the package, of the workflow and of Snakemake, with anything in the place of what is filled in."""
    house = [*(ROOT / "aqa_pipeline").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk")]
    texts = {
        text
        for path in [*house, Path(snakemake.__file__).with_name("exceptions.py")]
        for node in ast.walk(ast.parse(python_of(path)))
        if (text := (template(node) or "").partition("\\\n")[0]) and len(text.replace(".*", "")) > 12
    }
    return [re.compile(text, re.DOTALL) for text in texts]


def python_of(path: Path) -> str:
    """A file of Python; of a file of rules the functions above them."""
    text = path.read_text()
    if path.suffix == ".py":
        return text
    functions = re.findall(r"^def .*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return "\n".join(functions)


def template(node: ast.AST) -> str | None:
    """A pattern for what a string or an f-string may become."""
    if isinstance(node, ast.JoinedStr):
        return "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".*" for p in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value).replace(r"\{\}", ".*")
    return None


def is_raised(message: str) -> bool:
    """Whether a text may become the message, and much of it is that text's own.

    What `errors.nearest` says at its end is nobody's own.
    """
    own = len(re.sub(r"\.\.\.|(did you mean '...'\? )?known: ", "", message))
    return any(len(p.pattern.replace(".*", "")) > 0.4 * own for p in raised() if p.fullmatch(message))


@pytest.mark.parametrize("message", messages())
def test_messages_of_the_troubleshooting_are_raised(message):
    assert is_raised(message)


def test_a_message_that_nobody_raises_is_noticed():
    assert len(messages()) > 25
    assert not is_raised("...: cannot be opened as a film")
    assert not is_raised("...: row ..., column ...: found '...', wanted a number")


# The site.


@pytest.fixture(scope="module")
def site() -> Path:
    folder = ROOT / "site"
    if not (folder / "index.html").is_file():
        pytest.skip("no site/: run `make docs`")
    return folder


def test_every_system_has_a_page_with_its_paper_its_rows_and_its_parity(site):
    from aqa_pipeline import ledger, plugins
    from aqa_pipeline.about import about

    for name in plugins.available("systems"):
        page = (site / "systems" / f"{name}.html").read_text()
        for heading in ("its-rows", "published-figures", "parity"):
            assert f'id="{heading}"' in page, name
        shown = {figure.printed for figure in ledger.read() if figure.system == name}
        assert [printed for printed in shown if f"<td>{printed}</td>" not in page] == [], name
        assert [o.name for o in about("systems", name).options if f"<code>{o.name}</code>" not in page] == [], name
    core = (site / "systems" / "core.html").read_text()
    assert "yuxumin/CoRe" in core
    assert "regression tree" in core
    assert "<code>core.frozen</code></td>\n<td>0.8" in core  # the default table of the README
    assert "No code was released" in (site / "systems" / "c3d_fragments.html").read_text()


def test_the_site_opens_without_a_network(site):
    """Nothing that a page needs to be shown lies elsewhere."""
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+stylesheet[^>]+href="(?:https?:)?//'
    )
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 60
    assert [str(page) for page in pages if fetched.search(page.read_text())] == []


def test_no_page_names_this_machine(site):
    known = {str(Path.home()), str(ROOT)} - {"/"}
    found = [(page.name, name) for page in site.rglob("*.html") for name in known if name in page.read_text()]
    assert found == []


def test_environment_of_the_docs_is_locked_apart():
    """What the site needs weighs nothing in the environment that makes the tables."""
    names = {line.split("==")[0].lower() for line in (ROOT / "requirements-docs.lock").read_text().split()}
    common = {line.split("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().split()}
    assert {"mkdocs", "mkdocs-material", "mkdocstrings-python"} <= names
    assert names & common == set()
