from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STAGE = """
from pathlib import Path
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages import Options, command_line

def stage(source: Path, *, kind: str, number: int = 3, options: Options = {}) -> None:
    \"\"\"Say what was given.\"\"\"
    if kind == "wrong":
        raise InputError("kind: found 'wrong', expected 'right'")
    if kind == "full":
        raise OSError(28, "No space left on device", "out.h5")
    if kind == "memory":
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory\\nmore")
    if kind == "bug":
        raise RuntimeError("list of names is not a set")
    print(source, kind, number, options)

command_line(stage)
"""


BLOCKS = """
import resource
from aqa_pipeline.stages import command_line

def stage() -> None:
    for number in range(21):
        blocks = [bytearray(2**23) for _ in range(4)]
        del blocks
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        first = faults if number == 0 else first
    print(faults - first)

command_line(stage)
"""


def run(tmp_path: Path, *arguments: str, stage: str = STAGE) -> subprocess.CompletedProcess:
    (tmp_path / "stage.py").write_text(stage)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "stage.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_keyword_parameters_are_options_and_json_becomes_a_mapping(tmp_path):
    answer = run(tmp_path, "a.h5", "--kind", "right", "--options", '{"x": [1, 2]}')
    assert answer.stdout == "a.h5 right 3 {'x': [1, 2]}\n"


def test_help_comes_from_the_signature(tmp_path):
    answer = run(tmp_path, "--help")
    assert "Say what was given." in answer.stdout
    assert "--kind" in answer.stdout


def test_mistakes_are_one_line(tmp_path):
    for kind, message in (
        ("wrong", "error: kind: found 'wrong', expected 'right'\n"),
        ("full", "error: out.h5: No space left on device; nothing was left half-written\n"),
        (
            "memory",
            "error: not enough memory ([enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory); "
            "more shards or a smaller batch need less at once\n",
        ),
    ):
        answer = run(tmp_path, "a.h5", "--kind", kind)
        assert answer.returncode != 0
        assert answer.stderr == message


def test_a_bug_keeps_its_traceback(tmp_path):
    answer = run(tmp_path, "a.h5", "--kind", "bug")
    assert answer.returncode != 0
    assert "Traceback" in answer.stderr


def test_options_that_are_no_json_object_are_refused(tmp_path):
    answer = run(tmp_path, "a.h5", "--kind", "right", "--options", "[1]")
    assert answer.returncode == 2
    assert "expected a JSON object" in " ".join(answer.stderr.replace("│", " ").split())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_freed_memory_is_used_again(tmp_path):
    pages = 4 * 2**23 // os.sysconf("SC_PAGE_SIZE")  # of one round
    assert int(run(tmp_path, stage=BLOCKS).stdout) < 2 * pages  # of twenty rounds
