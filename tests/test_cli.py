from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile

import pytest
import yaml

from aqa_pipeline import cli, plugins, weights


def aqa(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "aqa_pipeline.cli", *arguments], capture_output=True, text=True)


def test_list_names_every_system_with_what_it_is():
    listed = aqa("list", "systems")
    assert listed.returncode == 0
    assert "pose_guided" in listed.stdout
    assert "no_video" in listed.stdout


def test_an_unknown_room_is_answered_with_the_nearest():
    answer = aqa("list", "system")
    assert answer.returncode == 2
    known = ", ".join(sorted(cli.ROOMS))
    assert answer.stderr.strip() == f"error: no room 'system': did you mean 'systems'? known: {known}"


def test_the_front_page_groups_all_commands_a_line_each():
    page = aqa("--help").stdout
    panels = [cli.LOOK, cli.RUN, cli.OWN_VIDEO, cli.WEIGHTS]
    assert [page.index(f"─ {panel} ─") for panel in panels] == sorted(page.index(f"─ {panel} ─") for panel in panels)
    assert "Commands" not in page  # the panel of those that belong to no group
    lines = [line for line in page.partition(f"─ {cli.LOOK} ─")[2].splitlines() if line.startswith("│")]
    assert [line for line in lines if not re.match(r"│ [a-z]+ +[A-Z]\S* .*\. +│$", line)] == []
    assert "snakemake --cores 8" in page


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["weights", "lits"], "No such command 'lits'. Did you mean 'list'?"),
        (["poses", "--out", "out"], "Missing argument 'videos'."),
        (["list", "--rom"], "No such option: --rom"),
        (["poses", "a.mp4", "--out", "o", "--threads", "0"], "Invalid value for '--threads': "),
        (["show", "systems", "coer"], "no 'coer' in systems: did you mean 'core'? known: c3d_avg"),
        (["show", "system", "core"], "no room 'system': did you mean 'systems'? known: athlete"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(arguments, line):
    answer = aqa(*arguments)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {line}")
    assert answer.stderr.count("\n") == 1


def test_show_says_what_a_system_is_with_its_options_and_figures():
    answer = aqa("show", "systems", "usdl")
    assert answer.returncode == 0
    assert "Uncertainty-aware Score Distribution Learning" in " ".join(answer.stdout.split())
    assert re.search(r"│ decode +│ 'argmax' +│", answer.stdout)
    assert re.search(r"\n\d+ published figures in the ledger, tables ", answer.stdout)
    assert answer.stdout.endswith(f"{plugins.source('systems', 'usdl')}\n")
    assert "must be given" in aqa("show", "datasets", "custom").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("aqa s", ["show", "schema", "score"]),
        ("aqa show sy", ["systems"]),
        ("aqa show systems us", ["usdl"]),
        ("aqa show nothing us", []),
    ],
)
def test_the_shell_completes_commands_rooms_and_names(words, expected):
    asked = {"_AQA_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    answer = subprocess.run(
        [sys.executable, "-m", "aqa_pipeline.cli"], capture_output=True, text=True, env={**os.environ, **asked}
    )
    assert sorted(answer.stdout.split()) == sorted(expected)


def test_check_names_the_misspelt_key(tmp_path):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump({"boostrap": 100}))
    answer = aqa("check", "config.yaml", str(tmp_path / "over.yaml"))
    assert answer.returncode == 2
    assert "boostrap: unknown key, did you mean 'bootstrap'?" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert aqa("check", "config.yaml").stdout.startswith("good: ")


def test_check_names_what_is_absent():
    answer = aqa("check", "config.yaml", "experiments/fragments_1.yaml")
    assert answer.returncode == 0
    assert "absent: data set unlv_vault, no data/UNLV-Vault/gym_vault_overall_scores.mat" in answer.stdout


def test_unpack_refuses_names_that_lead_out(tmp_path):
    for name, archive in (("inside/a.txt", "good.zip"), ("../a.txt", "bad.zip")):
        with zipfile.ZipFile(tmp_path / archive, "w") as file:
            file.writestr(name, "a")
    good = aqa("unpack", str(tmp_path / "good.zip"), str(tmp_path / "good"))
    assert good.stdout == f"1 files in {tmp_path / 'good'}\n"
    assert (tmp_path / "good/inside/a.txt").read_text() == "a"
    bad = aqa("unpack", str(tmp_path / "bad.zip"), str(tmp_path / "bad"))
    assert bad.returncode == 2
    assert "bad.zip: '../a.txt' leads out of the folder" in bad.stderr
    assert not (tmp_path / "bad").exists()
    assert not (tmp_path.parent / "a.txt").exists()


@pytest.mark.parametrize(("age", "expected"), [(0, [("train", "a.b", "34 of 100, 12.0/s")]), (100, [])])
def test_watch_reads_the_last_progress_line_of_fresh_logs(tmp_path, age, expected):
    (tmp_path / "train").mkdir()
    (tmp_path / "simulate").mkdir()
    log = tmp_path / "train" / "a.b.log"
    log.write_text("train: 3 of 100, 11.0/s\nnoise\ntrain: 34 of 100, 12.0/s\n")
    (tmp_path / "simulate" / "c.log").write_text("simulate: 3 of 7, 1.0/s\nsimulate: 7 done in 2.0 s\n")
    os.utime(log, (time.time() - age, time.time() - age))
    assert cli.stages_in_progress(tmp_path, within=60) == expected


def test_weights_are_listed_and_not_fetched_where_they_have_no_address():
    listed = aqa("weights", "list")
    assert listed.returncode == 0
    assert {name for name in weights.available() if f" {name} " not in listed.stdout} == set()
    answer = aqa("weights", "fetch", "blazepose_detector")
    assert answer.returncode == 2
    assert answer.stderr == "error: weights 'blazepose_detector': not fetched, they come with mediapipe\n"
    assert "did you mean 'hrnet_w48_coco'" in aqa("weights", "add", "hrnet_w48", "x.pth").stderr


def test_own_videos_from_the_command_line_to_files_of_others(video, tmp_path):
    video(n_frames=4)
    out = tmp_path / "out"
    assert aqa("poses", str(tmp_path / "clip.mp4"), "--out", str(out), "--device", "cpu").returncode == 0
    assert aqa("export", str(out / "boxes.h5"), str(tmp_path / "b.parquet")).returncode == 0
    film = aqa("overlay", str(out / "frames.h5"), str(out / "boxes.h5"), str(tmp_path / "film.mp4"))
    assert film.stdout == f"{tmp_path / 'film.mp4'}\n"
    assert aqa("export", str(out / "boxes.h5"), str(tmp_path / "b.txt")).stderr.startswith("error: --to: no '.txt'")
    missing = aqa("poses", str(tmp_path / "none.mp4"), "--out", str(out), "--device", "cpu")
    assert missing.returncode == 2
    assert "none.mp4: no such video file or folder of pictures" in missing.stderr.splitlines()[-1]
