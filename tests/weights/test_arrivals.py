"""What arrives is what the registry says, and nothing else stays."""

import functools
import hashlib
import http.server
import json
import threading
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import cli, weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.weights import arrivals

CONTENT = b"the numbers of a network"
SHA = hashlib.sha256(CONTENT).hexdigest()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A web server of a folder on this machine; gives the folder and its address."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(Silent, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path, monkeypatch, server):
    """A registry of three names with an address each, and a folder of one's own for what arrives."""
    web, address = server
    (web / "a-1.pth").write_bytes(CONTENT)
    with zipfile.ZipFile(web / "net.zip", "w") as packed:
        packed.writestr("deploy/end2end.onnx", CONTENT)
        packed.writestr("deploy/pipeline.json", "{}")
    common = {"from": "url", "licence": "MIT", "what": "a test"}
    entries = {
        "whole": {**common, "file": "a.pth", "url": f"{address}/a-1.pth", "sha256": SHA},
        "digits": {**common, "file": "a-digits.pth", "url": f"{address}/a-1.pth", "sha256_prefix": SHA[:8]},
        "unknown": {**common, "file": "net.onnx", "url": f"{address}/net.zip"},
        "mediapipe": {**common, "from": "distribution", "distribution": "mediapipe", "version": "0", "file": "no"},
    }
    (tmp_path / "registry.json").write_text(json.dumps(entries))
    monkeypatch.setattr(weights, "REGISTRY", tmp_path / "registry.json")
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    weights.forget()
    yield tmp_path / "home"
    weights.forget()


@pytest.mark.parametrize(("name", "noted"), [("whole", False), ("digits", True), ("unknown", True)])
def test_what_is_fetched_is_found_and_compared_from_then_on(home, name, noted):
    assert not weights.is_present(name)
    with pytest.raises(
        InputError, match=rf"weights '{name}': no .*aqa weights fetch {name}.*http://127.*aqa weights add"
    ):
        weights.path(name)
    place = arrivals.fetch(name)
    assert place == weights.path(name) == home / weights.entry(name)["file"]
    assert weights.is_present(name)
    assert weights.sha256(name) == SHA
    assert place.read_bytes() == CONTENT
    note = place.with_name(f"{place.name}.sha256")
    assert note.is_file() == noted
    assert not noted or note.read_text() == f"{SHA}  {place.name}\n"
    place.write_bytes(CONTENT + b"!")
    weights.forget()
    with pytest.raises(InputError, match=f"has SHA-256 .*, expected {SHA}"):
        weights.path(name)


def test_a_download_shows_how_far_it_is(home):
    bar = cli._Bar("whole")
    arrivals.fetch("whole", progress=bar)
    (task,) = bar._bar.tasks
    assert (task.completed, task.total) == (len(CONTENT), len(CONTENT))
    assert not bar._bar.live.is_started


@pytest.mark.parametrize("name", ["whole", "digits"])
def test_another_file_leaves_nothing(home, server, name):
    (server[0] / "a-1.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=f"has SHA-256 .*, expected {SHA[:8]}"):
        arrivals.fetch(name)
    with pytest.raises(InputError, match=f"has SHA-256 .*, expected {SHA[:8]}"):
        arrivals.add(name, server[0] / "a-1.pth")
    assert list(home.iterdir()) == []


def test_an_address_that_gives_nothing_is_one_line(home, server):
    (server[0] / "a-1.pth").unlink()
    with pytest.raises(InputError, match=r"whole': http://.* cannot be fetched \(404"):
        arrivals.fetch("whole")
    assert list(home.iterdir()) == []


def test_what_is_packed_is_not_fetched_but_taken_by_hand(home, server, tmp_path):
    entries = json.loads((tmp_path / "registry.json").read_text())
    entries["packed"] = {**entries["unknown"], "file": "small.pth", "packed": "three parts of a 7z archive"}
    (tmp_path / "registry.json").write_text(json.dumps(entries))
    expected = (
        r"'packed': not fetched, http://.* holds three parts of .* small.pth by hand .* `aqa weights add packed FILE`"
    )
    with pytest.raises(InputError, match=expected):
        arrivals.fetch("packed")
    assert not home.exists()
    assert arrivals.add("packed", server[0] / "a-1.pth").name == "small.pth"


def test_files_given_by_hand(home, server, monkeypatch, tmp_path):
    monkeypatch.delenv("AQA_WEIGHTS")
    assert arrivals.add("whole", server[0] / "a-1.pth").as_posix() == "weights/a.pth"
    assert arrivals.add("unknown", server[0] / "net.zip").as_posix() == "weights/net.onnx"
    assert weights.path("unknown").read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["a.pth", "net.onnx", "net.onnx.sha256"]
    with pytest.raises(InputError, match="nothing: no such file, expected weights 'whole'"):
        arrivals.add("whole", tmp_path / "nothing")
    for bring in (arrivals.fetch, lambda name: arrivals.add(name, server[0] / "net.zip")):
        with pytest.raises(InputError, match="they come with mediapipe"):
            bring("mediapipe")


def test_a_path_is_compared_with_the_registry_and_with_what_is_given(home, tmp_path):
    (tmp_path / "a-digits.pth").write_bytes(b"another")
    with pytest.raises(InputError, match=rf"expected {SHA[:8]} \(its first 8 digits\)"):
        weights.path(tmp_path / "a-digits.pth")
    (tmp_path / "mine.onnx").write_bytes(CONTENT)
    assert weights.path(tmp_path / "mine.onnx", sha256=SHA.upper()) == tmp_path / "mine.onnx"
    with pytest.raises(InputError, match=f"has SHA-256 {SHA}, expected {SHA[::-1]}"):
        weights.path(tmp_path / "mine.onnx", sha256=SHA[::-1])


@pytest.mark.parametrize("names", [[], ["a.onnx", "b.onnx"], ["a.txt"]])
def test_an_archive_holds_one_network(home, tmp_path, names):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as packed:
        for name in names:
            packed.writestr(name, CONTENT)
    with pytest.raises(InputError, match=rf"the archive holds {sum('onnx' in n for n in names)} .onnx files"):
        arrivals.add("unknown", tmp_path / "odd.zip")
    assert list(home.iterdir()) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_bytes_break_the_unpacking(home, server, tmp_path, data):
    whole = (server[0] / "net.zip").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    spoilt = whole[:at] + data.draw(st.binary(max_size=20)) + whole[at + data.draw(st.integers(0, 20)) :]
    (tmp_path / "spoilt.zip").write_bytes(spoilt)
    try:
        place = arrivals.add("unknown", tmp_path / "spoilt.zip")
    except InputError:
        return
    assert weights.sha256(place) == hashlib.sha256(place.read_bytes()).hexdigest()
    place.with_name(f"{place.name}.sha256").unlink()
    place.unlink()
