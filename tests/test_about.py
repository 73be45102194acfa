"""What is said of plugins and their options is what their sources say."""

from __future__ import annotations

import pytest

from aqa_pipeline import plugins
from aqa_pipeline.about import ROOMS, about
from aqa_pipeline.errors import InputError

EVERY = [(room, name) for room in ROOMS for name in plugins.available(room)]


@pytest.mark.parametrize(("room", "name"), EVERY)
def test_every_plugin_and_every_option_says_what_it_is(room, name):
    found = about(room, name)
    assert found.headline
    assert [option.name for option in found.options if not option.meaning] == []


def test_options_have_their_defaults_as_they_are_written():
    options = {option.name: option for option in about("systems", "feature_svr").options}
    assert (options["kernel"].kind, options["kernel"].default) == ("str", "'rbf'")
    assert options["statistics"].default == "['min', 'mean', 'max']"
    assert about("datasets", "finediving").options[0].default is None  # root must be given


@pytest.mark.parametrize(
    ("room", "name", "option", "meaning"),
    [
        ("systems", "usdl", "reduction", '"sum" over the bins; "mean", the code: the `bins`-th part of it'),  # the file
        ("systems", "no_video", "pseudo", "clips with the mean of all that every type is drawn to"),  # the function
        ("detection", "embedded", "weights", "a registered name or a .safetensors file"),  # a sentence of it
        ("systems", "musdl", "reduction", '"sum" over the bins; "mean", the code: the `bins`-th part of it'),  # usdl's
        ("datasets", "jigsaws", "root", "the folder as its authors released it"),  # the same everywhere
    ],
)
def test_where_a_meaning_comes_from(room, name, option, meaning):
    assert {o.name: o.meaning for o in about(room, name).options}[option] == meaning


def test_the_usage_has_no_list_of_parameters():
    assert "Parameters" not in about("systems", "core").usage


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="no 'coer' in systems: did you mean 'core'"):
        about("systems", "coer")
