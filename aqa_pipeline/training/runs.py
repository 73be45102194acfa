"""One run: a system trained on one fold with one seed, what it leaves behind, and what it predicts.

A run's folder holds `weights.safetensors` (arrays alone: the system's under `model.`, the data's scales under `data.`),
`config.json` (settings, facts of the data, draws of a control, and the recipe: how its inputs were made) and
`history.csv`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import plugins, stores
from aqa_pipeline.batches import Clips, Facts, Pairs
from aqa_pipeline.errors import InputError, expect_one_of, nearest
from aqa_pipeline.training import checkpoints, controls, official
from aqa_pipeline.training.data import Data, Features, OneByOne, open_features, open_truth
from aqa_pipeline.training.loop import Engine, History, Optimiser, fit
from aqa_pipeline.training.pictures import MEMORY_MB, Pictures, open_pictures
from aqa_pipeline.training.ranks import ALONE, Ranks
from aqa_pipeline.training.voting import predict_draws

if TYPE_CHECKING:
    import pandas as pd

TARGETS = ("execution", "score")
SELECTIONS = ("last", "validation", "test")
OF_THE_LOOP = {kind: {f.name for f in fields(kind)} for kind in (Optimiser, Engine)}
OF_A_RUN = (
    "steps",
    "epochs",
    "batch",
    "devices",
    "checkpoint_every",
)  # of `Settings.training`, besides those of the loop


@dataclass(frozen=True)
class Settings:
    """Everything that a run is made from, besides its data."""

    system: str
    adapter: str  # file of `datasets/`, which owns how scores are composed
    fold: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)  # of the system
    training: Mapping[str, Any] = field(default_factory=dict)  # of the loop
    clips: Mapping[str, Any] = field(default_factory=dict)  # of `data.Data`
    roles: Mapping[str, str] = field(default_factory=dict)  # role -> feature set, where they have roles
    frames: Mapping[str, Any] = field(default_factory=dict)  # of `pictures.open_pictures`; empty: no pictures
    target: str = "execution"
    selection: str = "last"
    control: str = "none"
    official: Mapping[str, str] = field(default_factory=dict)  # released checkpoint to begin with: file, sha256

    def __post_init__(self) -> None:
        for name, known in (("target", TARGETS), ("selection", SELECTIONS), ("control", controls.CONTROLS)):
            expect_one_of(name, getattr(self, name), known)
        known = plugins.options("systems", self.system, "build", "fit")
        _expect_known("options", self.options, known)
        fixed = plugins.constant("systems", self.system, "target")  # some make sense for one target alone
        object.__setattr__(self, "target", fixed or self.target)
        _expect_known("training", self.training, [*set.union(*OF_THE_LOOP.values()), *OF_A_RUN])
        _expect_known("clips", self.clips, ["n_frames", "sampling", "normalise", "scale_target", "memory_mb"])

    @property
    def is_network(self) -> bool:
        return "draws" in (plugins.constant("systems", self.system, "needs") or ())

    @property
    def is_one_by_one(self) -> bool:
        return bool(plugins.constant("systems", self.system, "one_by_one"))


@dataclass
class Run:
    """A trained system with the data it is to be used on."""

    settings: Settings
    data: Data
    weights: dict[str, np.ndarray]
    swapped: dict[str, str]  # of the control
    history: History
    recipe: Mapping[str, Any] = field(default_factory=dict)  # see `recipe_of`

    def predict(self, queries: Sequence[str], draws: pd.DataFrame | None = None, device: str = "auto") -> pd.DataFrame:
        """Predicted target of `queries` as `voting.predict_draws` gives it; a network votes over its `draws`."""
        import pandas as pd

        if self.settings.is_network:
            model = _restored(self.settings, self.data.facts, self.weights)
            return predict_draws(model, self.data, draws[draws["query"].isin(queries)], device)
        module = plugins.load("systems", self.settings.system)
        test = _whole(self.settings, self.data, queries, show_target=False)
        predicted = self.data.unscaled(np.asarray(module.predict(self.weights, test), dtype=np.float64))
        table = pd.DataFrame(dict(video_id=queries, predicted=predicted, n_exemplars=0))
        if hasattr(module, "segment"):
            table[["transition_1", "transition_2"]] = module.segment(self.weights, test)
        return table


def prepare(settings: Settings, samples: pd.DataFrame, inputs: Mapping[str, Features | Pictures]) -> Data:
    """The data as a system is to see it; targets come from the data set's own composition."""
    adapter = plugins.load("datasets", settings.adapter)
    targets = samples["score"]
    if settings.target == "execution":
        targets = adapter.execution(samples["score"].to_numpy(), samples["difficulty"].to_numpy())
    options = dict(settings.clips) if settings.is_network else {"normalise": False, **settings.clips}
    if settings.is_one_by_one:
        options["n_frames"] = 0
    if plugins.constant("systems", settings.system, "raw_target"):
        options["scale_target"] = False
    needs = plugins.constant("systems", settings.system, "needs") or ()
    options |= dict(show_transitions="transitions" in needs, show_captions="captions" in needs)
    return Data(samples, inputs, dict(zip(samples["video_id"], targets, strict=True)), **options)


def train(
    settings: Settings,
    samples: pd.DataFrame,
    folds: pd.DataFrame,
    inputs: Mapping[str, Features | Pictures],
    *,
    draws: pd.DataFrame | None = None,
    device: str = "auto",
    workers: int = 0,
    folder: Path | None = None,
    together: Ranks = ALONE,
) -> Run:
    """Train one system on the training part of one fold.

    Parameters
    ----------
    settings, samples, folds, inputs
        What the run is made from.
    draws
        The stored draws of the fold, which a network needs.
    device, workers, together
        Where it is computed: "auto", "cpu" or "cuda"; processes that read ahead; processes that train together.
    folder
        Where a network's state is written on the way, and found again after a kill; `save` to it takes it away.
    """
    data = prepare(settings, samples, inputs)
    parts = parts_of(folds, settings.fold, inputs)
    swapped = controls.drawn(settings.control, samples, parts, seed=settings.seed)
    _swap(data, settings.control, swapped)
    facts = data.fit(parts["train"])
    if not settings.is_network:
        module = plugins.load("systems", settings.system)
        weights = module.fit(_whole(settings, data, parts["train"]), facts, **_seeded(settings))
        return Run(settings, data, weights, swapped, [])
    if draws is None:
        raise InputError(
            f"systems.{settings.system}: found no table of draws, expected one for a system trained in steps"
        )
    draws = draws[draws["fold"] == settings.fold]
    model = _built(settings, facts)
    if settings.official:
        official.fill(model, settings.system, settings.official["file"], sha256=settings.official["sha256"])
    if hasattr(model, "learn_labels"):
        model.learn_labels(data.labels(parts["train"]))
    optimiser, engine = ({k: v for k, v in settings.training.items() if k in of} for of in OF_THE_LOOP.values())
    history = fit(
        model,
        _Steps(settings, data, draws[draws["part"] == "train"]),
        optimiser=Optimiser(**optimiser),
        engine=Engine(**engine),
        seed=settings.seed,
        device=device,
        workers=workers,
        judge=_judge(settings, data, draws, device),
        checkpoint=_checkpoint(settings, data, draws, folder),
        together=together,
    )
    weights = {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
    return Run(settings, data, weights, swapped, history)


def parts_of(folds: pd.DataFrame, fold: int, inputs: Mapping[str, Features | Pictures]) -> dict[str, list[str]]:
    """Video ids of train, validation and test of one fold that are in all inputs; none may be empty but validation."""
    of_fold = folds[folds["fold"] == fold]
    parts = {}
    for part in ("train", "validation", "test"):
        ids = of_fold.loc[of_fold["part"] == part, "video_id"]
        parts[part] = sorted(v for v in ids if all(v in features for features in inputs.values()))
        if not parts[part] and part != "validation":
            raise InputError(f"fold {fold}: no usable {part} video among {len(ids)}, expected at least one")
    return parts


def predict(
    run: Run,
    folds: pd.DataFrame,
    inputs: Mapping[str, Features | Pictures],
    folder: Path,
    *,
    draws: pd.DataFrame | None = None,
    device: str = "auto",
) -> None:
    """Write the composed predictions of the test part of a run's fold to `folder`; `draws` are those of the fold."""
    test = parts_of(folds, run.settings.fold, inputs)["test"]
    predictions = compose(run, run.predict(test, draws, device))
    with stores.replacing(folder / "predictions.parquet") as path:
        predictions.to_parquet(path, index=False)


def compose(run: Run, predicted: pd.DataFrame) -> pd.DataFrame:
    """Predictions as stored: score and execution, true and predicted; execution is NaN where there is no difficulty.

    Of a system that compares, its exemplars and the score that each of them voted for; of one that finds the
    transitions between the steps, these.
    """
    import pandas as pd

    adapter = plugins.load("datasets", run.settings.adapter)
    rows = run.data.samples.loc[predicted["video_id"]]
    difficulty, value = rows["difficulty"].to_numpy(dtype=float), predicted["predicted"].to_numpy()
    by_execution = run.settings.target == "execution"
    score = adapter.compose(value, difficulty) if by_execution else value
    execution = value if by_execution else adapter.execution(value, difficulty)
    true = rows["score"].to_numpy(dtype=float)
    table = pd.DataFrame(
        {
            "video_id": predicted["video_id"].to_numpy(),
            "fold": run.settings.fold,
            "seed": run.settings.seed,
            "score": true,
            "predicted_score": score,
            "execution_score": np.where(np.isnan(difficulty), np.nan, adapter.execution(true, difficulty)),
            "predicted_execution": np.where(np.isnan(difficulty), np.nan, execution),
            "n_exemplars": predicted["n_exemplars"].to_numpy(),
        }
    )
    if "votes" in predicted:
        table["exemplars"] = predicted["exemplars"].to_numpy()
        table["votes"] = predicted["votes"].to_numpy()
        if by_execution:
            table["votes"] = [adapter.compose(v, d) for v, d in zip(table["votes"], difficulty, strict=True)]
    if "transition_1" in predicted:
        known = run.data.transitions(predicted["video_id"])
        for number in (1, 2):
            table[f"true_transition_{number}"] = known[:, number - 1]
            table[f"predicted_transition_{number}"] = predicted[f"transition_{number}"].to_numpy(dtype=float)
    return table


@dataclass(frozen=True)
class Files:
    """The stores that a row reads, of all shards."""

    features: Sequence[Path] = ()
    truth: Sequence[Path] = ()  # for the ceiling
    frames: Sequence[Path] = ()
    boxes: Sequence[Path] = ()  # of the athlete, where the pictures follow him
    masks: Sequence[Path] = ()  # truth stores with labels of the training part


@contextlib.contextmanager
def open_inputs(
    files: Files,
    *,
    threads: int,
    roles: Mapping[str, str] = {},
    frames: Mapping[str, Any] = {},
    mask_folders: Mapping[str, Path] = {},
    splashes: Mapping[str, Path] = {},
    needs: Collection[str] | None = None,
    memory_mb: int = MEMORY_MB,
) -> Iterator[dict[str, Any]]:
    """All inputs of a run by modality, open for reading; torch is held to so many threads.

    `roles` and `frames` are those of the run's settings; `mask_folders` and `splashes`, by video, are for
    training alone, and of them and the masks only what the `needs` of the system name is read. Torch is left alone
    where these say that the system is no network: loading it takes longer than a classic.
    """
    if needs is None or "draws" in needs or frames:
        import torch

        torch.set_num_threads(threads)
    labels = dict(masks=files.masks, folders=mask_folders, splashes=splashes, needs=needs or ())
    of_pictures = dict(options=frames, boxes=files.boxes, **labels, memory_mb=memory_mb)
    with (
        open_features(files.features, roles=roles) as inputs,
        open_truth(files.truth) as known,
        open_pictures(files.frames, **of_pictures) as pictures,
    ):
        yield {**inputs, **known, **pictures}


def recipe_of(files: Files, draws: pd.DataFrame | None = None) -> dict[str, Any]:
    """How the inputs of a run were made, so that the same can be made of other videos.

    `features`: by feature set the recipe of its stores (`stores.Reader.recipe`), one for all shards; `frames` and
    `boxes`: the recipes of the stores of pictures; `draws`: the options that exemplars were drawn with.
    """
    first = {Path(path).parent.name: path for path in reversed(files.features)}
    pictures = {kind: paths[0] for kind, paths in (("frames", files.frames), ("boxes", files.boxes)) if paths}
    return {
        "features": {name: stores.recipe(path) for name, path in first.items()},
        **{kind: stores.recipe(path) for kind, path in pictures.items()},
        **({} if draws is None else {"draws": dict(draws.attrs)}),
    }


def read_table(path: Path, fold: int) -> pd.DataFrame:
    """The draws of one fold."""
    return stores.read_table(path, filters=[("fold", "==", fold)])


def save(run: Run, folder: Path) -> None:
    """Write weights, configuration and history; each file appears whole or not at all."""
    import pandas as pd
    from safetensors.numpy import save as to_bytes

    scales = {f"data.{name}": np.ascontiguousarray(value) for name, value in run.data.scales.items()}
    weights = {f"model.{name}": np.ascontiguousarray(value) for name, value in run.weights.items()}
    config = dict(settings=asdict(run.settings), facts=run.data.facts.to_json(), swapped=run.swapped)
    config["recipe"] = dict(run.recipe)
    with stores.replacing(folder / "weights.safetensors") as path:
        path.write_bytes(to_bytes(weights | scales))
    with stores.replacing(folder / "history.csv") as path:
        pd.DataFrame(run.history or [], columns=None if run.history else ["step", "loss"]).to_csv(path, index=False)
    with stores.replacing(folder / "config.json") as path:  # last: where it stands, the run is whole
        path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    (folder / checkpoints.NAME).unlink(missing_ok=True)


def load_settings(folder: Path) -> tuple[Settings, dict[str, Any]]:
    """Settings of a stored run, and the whole of its config.json."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
        return Settings(**config["settings"]), config
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not the configuration of a run ({error}); train it again") from error


def load_arrays(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of a stored run: the system's weights under "model.", the data's scales under "data."."""
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / "weights.safetensors")
    except Exception as error:
        raise InputError(f"{folder}/weights.safetensors: cannot be read ({error}); train it again") from error
    return {
        part: {name.removeprefix(part): value for name, value in arrays.items() if name.startswith(part)}
        for part in ("model.", "data.")
    }


def load(folder: Path, samples: pd.DataFrame, inputs: Mapping[str, Features | Pictures]) -> Run:
    """A stored run, ready to predict."""
    settings, config = load_settings(folder)
    arrays = load_arrays(folder)
    data = prepare(settings, samples, inputs)
    data.restore(Facts.from_json(config["facts"]), arrays["data."])
    _swap(data, settings.control, config["swapped"])
    return Run(settings, data, arrays["model."], config["swapped"], [], config.get("recipe", {}))


def _swap(data: Data, control: str, swapped: dict[str, str]) -> None:
    if control == "permute_inputs":
        data.features_of = swapped
    elif control == "permute_labels":
        data.targets = {**data.targets, **{one: data.targets[other] for one, other in swapped.items()}}


def _whole(settings: Settings, data: Data, video_ids: Sequence[str], *, show_target: bool = True) -> Clips | OneByOne:
    """A whole part as a classic wants it."""
    read = data.one_by_one if settings.is_one_by_one else data.arrays
    return read(video_ids, show_target=show_target)


def _seeded(settings: Settings) -> dict[str, Any]:
    """Options of a classic, with the run's seed where it takes one and none was chosen."""
    takes = "seed" in plugins.options("systems", settings.system, "fit")
    return {"seed": settings.seed, **settings.options} if takes else dict(settings.options)


def _built(settings: Settings, facts: Facts) -> Any:
    import torch

    module = plugins.load("systems", settings.system)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return module.build(facts, **settings.options)


def _restored(settings: Settings, facts: Facts, weights: Mapping[str, np.ndarray]) -> Any:
    import torch

    model = _built(settings, facts)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    return model


def _judge(settings: Settings, data: Data, draws: pd.DataFrame, device: str) -> Any:
    """Spearman's rho of the target on the part that selects, or None where the last step is kept."""
    if settings.selection == "last":
        return None
    from scipy.stats import spearmanr

    chosen = draws[draws["part"] == settings.selection]
    if chosen.empty:
        raise InputError(
            f"selection: fold {settings.fold} has no {settings.selection} part, expected at least two videos"
        )

    def judge(model: Any) -> float:
        table = predict_draws(model, data, chosen, device)
        true = [data.targets[video_id] for video_id in table["video_id"]]
        rho = float(spearmanr(table["predicted"], true).statistic)
        return rho if np.isfinite(rho) else -1.0

    return judge


def _checkpoint(
    settings: Settings, data: Data, draws: pd.DataFrame, folder: Path | None
) -> checkpoints.Checkpoint | None:
    """Where the run's state is kept; its fingerprint is of all that its weights come from."""
    every = settings.training.get("checkpoint_every", 0)
    if folder is None or not every:
        return None
    about = json.dumps([asdict(settings), data.facts.to_json()], sort_keys=True).encode()
    scales = [np.ascontiguousarray(data.scales[name]).tobytes() for name in sorted(data.scales)]
    fingerprint = hashlib.sha256(b"\n".join([about, draws.to_csv(index=False).encode(), *scales])).hexdigest()
    return checkpoints.Checkpoint(folder / checkpoints.NAME, every, fingerprint)


class _Steps:
    """The draws of the training part, as the loop reads them; a pair is two numbers, as CoRe has 450 000 of them."""

    def __init__(self, settings: Settings, data: Data, draws: pd.DataFrame) -> None:
        self._data, self._seed = data, settings.seed
        import pandas as pd

        draws = draws.sort_values("step", kind="stable")
        numbers, ids = pd.factorize(pd.concat([draws["query"], draws["exemplar"]]))
        self._pairs, self._ids = numbers.reshape(2, -1), np.asarray(ids, dtype=object)  # exemplar -1: none
        self.sizes = draws.groupby("step").size().tolist()
        self._starts = np.cumsum([0, *self.sizes])
        wanted = settings.training.get("steps", len(self.sizes))
        if wanted != len(self.sizes) and not settings.training.get("epochs"):  # whose steps the draws have counted
            raise InputError(f"training.steps: found {wanted}, but draws of {len(self.sizes)}; draw the pairs again")

    def read(self, step: int, rows: slice) -> Clips | Pairs:
        """Some pairs of a step; what is drawn for it at random comes from seed and step."""
        queries, exemplars = self._pairs[:, self._starts[step] : self._starts[step + 1]][:, rows]
        names = None if (exemplars < 0).all() else self._ids[exemplars].tolist()
        return _batch(self._data, self._ids[queries].tolist(), names, draw=(self._seed, step))


def _batch(
    data: Data,
    queries: list[str],
    exemplars: list[str] | None,
    *,
    show_target: bool = True,
    draw: tuple[int, ...] | None = None,
) -> Clips | Pairs:
    if exemplars is None:
        return data.clips(queries, show_target=show_target, draw=draw)
    return data.pairs(queries, exemplars, show_target=show_target, draw=draw)


def _expect_known(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{where}: unknown '{name}', {nearest(name, known)}")
