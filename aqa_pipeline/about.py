"""What a plugin is: its documentation and its options, each with its default and its meaning, read from its source.

Nothing is imported. What an option means stands in the plugin's own docstring, of the file or of its function; words
that mean the same everywhere stand in `COMMON`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from aqa_pipeline import plugins

# Room -> the functions whose keyword-only arguments are the options of its plugins; the first that a plugin has counts.
ROOMS: dict[str, tuple[str, ...]] = {
    "datasets": ("samples",),
    "protocols": ("folds",),
    "labelled": ("read",),
    "detection": ("build",),
    "athlete": ("select",),
    "pose": ("build",),
    "features": ("build",),
    "systems": ("build", "fit"),
    "metrics": (),
    "audit": (),
}

COMMON = {
    "attention": "how the clips of a pair look at each other",
    "batch": "pictures at a time",
    "cuts": "frames that begin a new shot",
    "crop": "side of the square, in pixels of the resized frame",
    "device": "auto, cpu or cuda; given by the run",
    "dim": "channels that stored features are brought to",
    "dropout": "of stored features, in training",
    "eps": "of the batch norms",
    "freeze_batch_norm": "whether statistics of the batch norms stay as they came with the weights",
    "heads": "heads of the attention",
    "hidden": "width of the hidden layers, one number a layer",
    "keypoint_set": "what the keypoints are: coco_17, coco_wholebody_133, ...",
    "layers": "blocks on top of each other",
    "momentum": "of the batch norms",
    "n_folds": "given by `folds` of the protocol's block",
    "n_frames": "frames that are taken of each video",
    "pixels": "how pictures go into the network: the name of its weights' preparation",
    "positions": "positions that each step is brought to",
    "refine": "further looks at the crop, turned so that the trunk is upright",
    "resize": "width and height that frames are brought to before the crop",
    "rotations": "angles under which every crop is looked at; 1 is upright people only",
    "root": "the folder as its authors released it",
    "sampling": "how frames are chosen: as under `frames` of a variant",
    "seed": "of what is drawn",
    "segmenter_dropout": "in the network that finds the transitions",
    "segments": "equal parts of time, each of which is summarised alone",
    "starts": "first frames of the snippets that the network sees",
    "static": "the picture network beside the one that sees clips",
    "static_freeze_batch_norm": "the same of the picture network",
    "static_weights": "weights of the picture network: a registered name or a file",
    "static_width": "factor on the channels of the picture network; 1 as published",
    "statistics": "what of each part is kept: min, mean, max, sd",
    "steadiness": "cost of turning from frame to frame, where a path of angles is chosen",
    "swap_resize": "whether width and height are swapped, as the released pipelines do",
    "temperature": "of the contrast",
    "weights": "a registered name (`aqa weights list`) or a file",
    "width": "factor on the channels of the network; 1 as published",
}


@dataclass(frozen=True)
class Option:
    """A keyword-only argument of a plugin's function."""

    name: str
    kind: str  # its annotation
    default: str | None  # as Python writes it; None: it must be given
    meaning: str  # empty where nobody said it


@dataclass(frozen=True)
class About:
    """A plugin: the documentation of its file and of its function, and the options of the latter."""

    room: str
    name: str
    text: str
    usage: str  # without the section of parameters
    options: list[Option]

    @property
    def headline(self) -> str:
        return self.text.partition("\n")[0]


def about(room: str, name: str) -> About:
    """Of a plugin of one of `ROOMS`; InputError with the nearest name where there is none."""
    module = ast.parse(plugins.source(room, name).read_text())
    text = ast.get_docstring(module) or ""
    function = _function(module, ROOMS[room])
    if function is None:
        return About(room, name, text, "", [])
    usage = ast.get_docstring(function) or ""
    names = [argument.arg for argument in function.args.kwonlyargs]
    said = {**COMMON, **_of_relatives(room, name, text + usage), **_own(text, usage, names)}
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    options = [
        Option(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            None if default is None else ast.unparse(default),
            said.get(argument.arg, ""),
        )
        for argument, default in pairs
    ]
    return About(room, name, text, _prose(usage), options)


def _own(text: str, usage: str, names: list[str]) -> dict[str, str]:
    """Meanings that the plugin itself gives its options, the function's word before the file's."""
    defined = _definitions(text, names) | _definitions(usage, names)
    mentioned = _mentioned([*_prose(usage).split("\n\n"), *defined.values()], names)
    found: dict[str, str] = {}
    for said in (_definitions(text, names), mentioned, _definitions(usage, names)):
        found |= {name: meaning for name, meaning in said.items() if not _REFERENCE.match(meaning)}
    return found


def _prose(usage: str) -> str:
    """A docstring without its section of parameters."""
    return usage.partition("Parameters\n---")[0].strip()


def _of_relatives(room: str, name: str, text: str) -> dict[str, str]:
    """Meanings of the options of the plugins that a docstring refers to: as in `usdl`."""
    relatives = {
        other for other in re.findall(r"as in `(\w+)`", text, re.IGNORECASE) if other in plugins.available(room)
    } - {name}
    return {option.name: option.meaning for other in sorted(relatives) for option in about(room, other).options}


def _function(module: ast.Module, names: tuple[str, ...]) -> ast.FunctionDef | None:
    defined = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    return next((defined[name] for name in names if name in defined), None)


# `name`, `name, other`: then two blanks or " : " and the meaning, or the meaning on the lines below, further in.
_DEFINITION = re.compile(r"^( *)([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*)(?:(?: : |  +)(\S.*))?$")

_REFERENCE = re.compile(r"(`\w+`(, )?)*:? ?(see above|see `|as in `)", re.IGNORECASE)  # what it leads to says more


def _definitions(text: str, names: list[str]) -> dict[str, str]:
    """Meanings in a docstring's lists of definitions, each on one line."""
    found: dict[str, str] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _DEFINITION.match(line)
        defined = [name for name in (match[2].split(", ") if match else []) if name in names]
        if not defined:
            continue
        depth = len(match[1])
        words = [match[3] or ""]
        for following in lines[number + 1 :]:
            if not following.strip() or len(following) - len(following.lstrip()) <= depth:
                break
            words.append(following.strip())
        if meaning := " ".join(filter(None, words)):
            found |= dict.fromkeys(defined, meaning)
    return found


def _mentioned(paragraphs: list[str], names: list[str]) -> dict[str, str]:
    """The first sentence that speaks of an option by its name in backticks."""
    sentences = [s for text in paragraphs for s in re.split(r"(?<=[.;])\s+", " ".join(text.split()))]
    return {
        name: sentence.rstrip(".;").removeprefix(f"`{name}`: ")
        for name in names
        for sentence in reversed(sentences)  # so that the first one stays
        if f"`{name}`" in sentence
    }
