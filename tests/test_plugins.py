from __future__ import annotations

import pytest

from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError, nearest


@pytest.fixture
def room(tmp_path, monkeypatch):
    folder = tmp_path / "halls"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_shared.py").write_text("")
    (folder / "small.py").write_text(
        "import a_module_that_is_not_there\nneeds = {'features', 'exemplars'}\n"
        "def build(*, width, depth=3):\n    return width * depth\n"
    )
    (folder / "large.py").write_text("def fit(x, *, c=1):\n    return x\n")
    monkeypatch.setattr(plugins, "_PACKAGE", tmp_path)
    return "halls"


def test_a_folder_is_its_own_registry(room):
    assert plugins.available(room) == ["large", "small"]


def test_options_and_constants_are_read_without_an_import(room):
    assert plugins.options(room, "small", "build") == ["width", "depth"]
    assert plugins.options(room, "large", "build", "fit") == ["c"]
    assert plugins.constant(room, "small", "needs") == {"features", "exemplars"}
    assert plugins.constant(room, "large", "needs") is None


def test_an_unknown_name_is_answered_with_the_nearest(room):
    with pytest.raises(InputError, match="no 'smal' in halls: did you mean 'small'"):
        plugins.source(room, "smal")
    with pytest.raises(InputError, match="has no function build or draw"):
        plugins.options(room, "large", "build", "draw")


def test_nearest_lists_what_is_known():
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("x", []) == "known: none"


def test_options_without_a_default_are_told_apart():
    assert plugins.required("protocols", "repeated_random", "folds") == ["n_folds", "seed", "train_size"]
    assert plugins.required("protocols", "given", "folds") == ["n_folds"]
