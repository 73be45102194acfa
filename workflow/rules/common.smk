# The only helpers of the workflow: the checked configuration, and names of files made from it.
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

# The folder of the Snakefile beside `workflow/`, also where another workflow imports it as a module.
HOUSE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]

# The package in that folder, also when it is not installed and wherever the jobs run.
sys.path.insert(0, str(HOUSE))
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH")))))

# Stages are run by the interpreter that runs Snakemake, also where its environment was not activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]))

from snakemake.logging import logger

from snakemake.settings.types import DeploymentMethod

from aqa_pipeline import config as settings_module
from aqa_pipeline import environments, ledger, plugins
from aqa_pipeline.availability import Availability
from aqa_pipeline.errors import InputError

# A workflow that imports this one gives what it wants otherwise; with --configfile Snakemake has laid it over already.
if not workflow.modifier.is_main_snakefile():
    config = settings_module.laid_over(settings_module.read(HOUSE / "config.yaml"), config)

try:
    SETTINGS = settings_module.check(config)
except InputError as error:
    raise WorkflowError(str(error)) from None

UNDER_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
AVAILABLE = Availability(SETTINGS, conda=UNDER_CONDA)


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    shard=r"[0-9]{4}",
    detector=r"[a-z0-9_]+",
    estimator=r"[a-z0-9_]+",
    feature_set=r"[a-z0-9_]+",
    protocol=r"[a-z0-9_]+",
    row=r"[a-z0-9_]+\.[a-z0-9_]+",  # system.variant
    table=r"[a-z0-9_]+",
    fold=r"[0-9]+",
    seed=r"[0-9]+",


# Whether jobs run on a cluster: where they are handed out, which a number of `jobs` without `cores` says (Snakemake looks
# at the executor only after the rules are read), and where one of them runs.
ON_CLUSTER = workflow.resource_settings.nodes is not None or workflow.remote_exec

# A cluster is asked for the device a rule wants. Here, a device that is not there must not keep two jobs from running
# side by side, and of one that is there no two jobs share a card, unless `--resources gpu=4` says that there are more.
GPU = int(ON_CLUSTER or any(Path(os.sep, "dev").glob("nvidia[0-9]*")))
if not ON_CLUSTER:
    workflow.global_resources.setdefault("gpu", 1)


# To start no more than 100 jobs a second, Snakemake 9.27 looks at all ready jobs again a second after each look, and for
# each job that ends once more: after 1000 jobs a thousand times a second. Without the limit it looks when a job ends.
# The scheduler exists from here on; none of its settings turns the limit off.
onstart:
    workflow.scheduler.job_rate_limiter = None


# Beside a GPU some threads read frames and cut crops; without one the network needs every core itself.
READERS = 4 if GPU else 1

# Memory of the machine, not of the card, that the libraries of a GPU take in each process that uses it.
GPU_MB = 4000 * GPU


def grown(amount):
    """Memory or run time that grows with each attempt, from a number or a function of the wildcards.

    A cluster ends a job at its limits; tried again it gets twice, then three times as much.
    """
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def protocol_of(wildcards):
    return SETTINGS.datasets[wildcards.dataset].protocols[wildcards.protocol]


def as_json(options):
    """One spelling of a set of options, so that nothing but a changed value re-runs a job."""
    return json.dumps(options, sort_keys=True, default=str)


def in_order(blocks):
    """As `as_json`, for blocks whose order matters."""
    return json.dumps(blocks, default=str)


def plugin(room, name):
    """The plugin that a block of the configuration uses."""
    return getattr(SETTINGS, room)[name].use or name


def stage_version(stage):
    """The number a stage carries: Snakemake does not see edits inside the package, a new number re-runs it."""
    return plugins.constant("stages", stage, "VERSION")


def shards(dataset):
    return [f"{shard:04d}" for shard in range(SETTINGS.datasets[dataset].shards)]


# The list of a shard's videos. Listing is a checkpoint, after which Snakemake decides anew about what directly depends on
# it. So every job of a shard has the list among its inputs, whatever it reads: a list that is the same makes none again.
SHARD_LIST = "results/samples/{dataset}/{shard}.parquet"


is_simulated = SETTINGS.is_simulated
adapter_options = SETTINGS.adapter_options

SIMULATED = "|".join(name for name in SETTINGS.datasets if is_simulated(name)) or "none"


def source_of(feature_set):
    """What a feature set is made from: frames, keypoints or files."""
    return plugins.constant("features", plugin("features", feature_set), "source")


def devices_of_features(wildcards):
    return GPU * (source_of(wildcards.feature_set) == "frames")


def features_mb(wildcards):
    return 2000 + GPU_MB * devices_of_features(wildcards)


def store_of_features(feature_set):
    """Path of the stores of a feature set, with the data set and the shard left open."""
    return f"results/features/{{dataset}}/{feature_set}/{{shard}}.h5"


def needs(system):
    """What a system reads besides the samples: features, pictures, draws, exemplars, sub_actions, masks, truth ..."""
    return plugins.constant("systems", system, "needs") or set()


def needs_of(row):
    """The same of the system of a row."""
    return needs(row.partition(".")[0])


def runs(dataset, protocol, row):
    """Folders of all folds and seeds of a row."""
    folds = range(SETTINGS.datasets[dataset].protocols[protocol].folds)
    return [
        f"results/runs/{row}/{dataset}.{protocol}/fold{fold}.seed{seed}"
        for fold in folds
        for seed in SETTINGS.variant(row).seeds
    ]


def rows_of(table):
    """Rows of a table with its floor and ceiling, each once, in order."""
    block = SETTINGS.tables[table]
    return list(dict.fromkeys([*filter(None, (block.floor, block.ceiling)), *block.rows]))


def datasets_of(table):
    """Data sets of a table that are at hand and can be parted as it asks."""
    block = SETTINGS.tables[table]
    return [dataset for dataset in block.datasets if AVAILABLE.can_be_parted(dataset, block.protocol)]


def drawn_datasets(table):
    """Data sets of a table of which there is a row to draw."""
    return [dataset for dataset in datasets_of(table) if rows_that_run(table, dataset)]


def used_datasets():
    """Data sets of the tables that are made, as far as they are at hand; each once, in order."""
    return list(dict.fromkeys(dataset for table in SETTINGS.make_tables for dataset in datasets_of(table)))


def rows_that_run(table, dataset):
    """Rows of a table that can be made on a data set here."""
    return [row for row in rows_of(table) if AVAILABLE.status(row, dataset) == "ok"]


def annotation_files(dataset):
    """Files that the samples of a data set are read from, where the run does not make them."""
    if is_simulated(dataset):
        return []
    files = plugins.load("datasets", plugin("datasets", dataset)).annotation_files(**SETTINGS.datasets[dataset].options)
    return users(files)


def users(files):
    """Files that a user named: they lie where the configuration says, whatever prefix a module's results get."""
    return [local(str(file)) for file in files]


# Estimators: some have an environment of their own.


def own_environment(*estimators):
    """The environment that one of some estimators lives in, if not in the common one."""
    own = [plugins.constant("pose", plugin("pose", estimator), "environment") for estimator in estimators]
    return next(filter(None, own), None)


def environment_of(*estimators):
    """The conda environment of estimators."""
    return f"../../envs/{own_environment(*estimators) or 'pose'}.yaml"


def python_of(*estimators):
    """The interpreter of estimators; that of the environment that conda has activated, where it has one."""
    own = own_environment(*estimators)
    return "python" if own is None or UNDER_CONDA else str(environments.interpreter(own))


# Features: what they are made from.


def feature_inputs(wildcards):
    block = SETTINGS.features[wildcards.feature_set]
    detector, estimator = block.detector or "given", block.estimator or "given"
    if source_of(wildcards.feature_set) == "keypoints":
        return [f"results/keypoints/{{dataset}}/{detector}.{estimator}/{{shard}}.h5"]
    if source_of(wildcards.feature_set) == "frames":
        boxes = [f"results/boxes/{{dataset}}/{detector}/{{shard}}.h5"] if block.detector else []
        return ["results/frames/{dataset}/{shard}.h5", *boxes]
    return []


FROM_FILES = "|".join(name for name in SETTINGS.features if source_of(name) == "files") or "none"


# Estimators that smooth the keypoints of another block, and those that look at pictures.
SMOOTHED = "|".join(name for name in SETTINGS.pose if SETTINGS.smooths(name)) or "none"
ESTIMATED = "|".join(name for name in SETTINGS.pose if not SETTINGS.smooths(name)) or "none"


def raw_keypoints(wildcards):
    return f"results/keypoints/{{dataset}}/{{detector}}.{SETTINGS.pose[wildcards.estimator].of}/{{shard}}.h5"


def boxes_behind(wildcards):
    """The boxes that keypoints were estimated in; a data set's own keypoints have none."""
    return [] if wildcards.detector == "given" else "results/boxes/{dataset}/{detector}/{shard}.h5"


# Draws, training and prediction.


def variant_of(wildcards):
    return SETTINGS.variant(wildcards.row)


def stores_of(path, dataset):
    """The stores of all shards of a data set, by a path that leaves both open."""
    return expand(path, dataset=dataset, shard=shards(dataset))


def training_of(wildcards):
    return variant_of(wildcards).training


def launcher(wildcards):
    """What starts the processes that train together."""
    devices = training_of(wildcards).devices
    return "python" if devices == 1 else f"python -m torch.distributed.run --standalone --nproc_per_node {devices}"


def feature_stores(wildcards, dataset=None):
    """The stores of all feature sets that a row reads."""
    dataset = dataset or wildcards.dataset
    return [
        store for name in variant_of(wildcards).feature_sets for store in stores_of(store_of_features(name), dataset)
    ]


def picture_stores(block, dataset):
    """By kind, the stores behind the pictures that a row is trained on; none where it reads features alone."""
    if block is None:
        return {}
    boxes = f"results/boxes/{{dataset}}/{block.detector}/{{shard}}.h5"
    return dict(
        frames=stores_of("results/frames/{dataset}/{shard}.h5", dataset),
        **(dict(boxes=stores_of(boxes, dataset)) if block.detector else {}),
    )


def frame_stores(wildcards, dataset=None):
    return picture_stores(variant_of(wildcards).frames, dataset or wildcards.dataset).get("frames", [])


def athlete_stores(wildcards, dataset=None):
    return picture_stores(variant_of(wildcards).frames, dataset or wildcards.dataset).get("boxes", [])


def mask_stores(wildcards, dataset):
    """Masks of simulated dives, labels of the training part; those of other data sets are files of their own."""
    block = variant_of(wildcards).frames
    known = block is not None and block.masks and is_simulated(dataset)
    return stores_of("results/truth/{dataset}/{shard}.h5", dataset) if known else []


def pictures_given(wildcards, input):
    """The stores of pictures, boxes and masks among some inputs, as a stage is told them."""
    return " ".join(f"--{name} {path}" for name in ("frames", "boxes", "masks") for path in input.get(name, []))


def frame_options(wildcards):
    """How a row's pictures are shown; nothing where it reads none."""
    block = variant_of(wildcards).frames
    return as_json(block.model_dump(exclude={"memory_mb"}) if block else {})


def kept_mb(wildcards):
    """Memory that a row's pictures may take in each process that reads them."""
    block = variant_of(wildcards).frames
    return block.memory_mb if block else 0


def devices_of_prediction(wildcards):
    """A network is asked on a device, a classic on none."""
    return GPU * is_network(wildcards.row)


def devices_of_training(wildcards):
    return devices_of_prediction(wildcards) * training_of(wildcards).devices


def predicting_mb(wildcards):
    return 3000 + kept_mb(wildcards) + GPU_MB * devices_of_prediction(wildcards)


def training_mb(wildcards):
    """Memory of training: of each device's process, and of those that read ahead for it."""
    block = training_of(wildcards)
    ahead = 1000 * block.workers + kept_mb(wildcards) * max(1, block.workers)
    return block.devices * (3000 + ahead) + GPU_MB * devices_of_training(wildcards)


def training_minutes(wildcards):
    """End to end takes a GPU hours. A run that is ended at its limit goes on from its checkpoint when tried again."""
    return 720 if variant_of(wildcards).frames else 240


def training_options(wildcards):
    """The training block of a network; a classic has none."""
    return as_json(training_of(wildcards).model_dump(exclude={"workers"}) if is_network(wildcards.row) else {})


def clip_options(wildcards):
    """Likewise its clips: a classic is handed whole sequences."""
    return as_json(variant_of(wildcards).clips.model_dump() if is_network(wildcards.row) else {})


def official_file(wildcards):
    """The released checkpoint that a row begins with, where it lies in the file system."""
    return users(name for name in [variant_of(wildcards).official] if name and Path(name).is_file())


def truth_stores(wildcards, dataset):
    known = "truth" in needs_of(wildcards.row) and is_simulated(dataset)
    return stores_of("results/truth/{dataset}/{shard}.h5", dataset) if known else []


def stored_draws(wildcards, dataset=None, protocol=None):
    """Only what is trained step by step has draws; a classic is fitted on the whole training part."""
    if not is_network(wildcards.row):
        return []
    place = f"{dataset or wildcards.dataset}.{protocol or wildcards.protocol}"
    return [f"results/pairs/{wildcards.row}/{place}/seed{wildcards.seed}.parquet"]


def draw_options(wildcards):
    block = variant_of(wildcards)
    choose = block.exemplars.choose if block.exemplars else "none"
    votes = block.exemplars.n_exemplars if block.exemplars else 1
    return (
        f"--exemplars {choose} --n-exemplars {votes} --steps {block.training.steps}"
        f" --epochs {block.training.epochs}"
        f" --batch {block.training.batch} --seed {SETTINGS.seed + int(wildcards.seed)}"
    )


def run_options(wildcards, dataset=None):
    block = variant_of(wildcards)
    begins = f" --official {shlex.quote(block.official)}" if block.official else ""
    return (
        f"--system {wildcards.row.partition('.')[0]} --target {block.target} --selection {block.selection}"
        f" --control {block.control} --adapter {plugin('datasets', dataset or wildcards.dataset)}{begins}"
    )


def evaluated():
    """Every data set at hand and protocol that a table which is made asks for."""
    asked = [(dataset, SETTINGS.tables[t].protocol) for t in SETTINGS.make_tables for dataset in datasets_of(t)]
    return list(dict.fromkeys(asked))


def folds_of(dataset, protocol):
    return range(SETTINGS.datasets[dataset].protocols[protocol].folds)


def of_folds(dataset, protocol, *names, folds=None):
    """Files of a run in the folders of some folds, of all by default."""
    folds = folds_of(dataset, protocol) if folds is None else folds
    folder = f"results/runs/{{row}}/{dataset}.{protocol}"
    return [f"{folder}/fold{fold}.seed{{seed}}/{name}" for fold in folds for name in names]


def is_network(row):
    """Networks are trained step by step over stored draws; classics are fitted."""
    return "draws" in needs_of(row)


def trains_at_once(row):
    """Whether one job trains all folds of a row."""
    variant = SETTINGS.variant(row)
    return not is_network(row) or (variant.frames is None and not variant.training.epochs)


# Rows of which one job trains all folds and predicts, and those with a job a fold and another that predicts.
AT_ONCE = "|".join(re.escape(row) for row in SETTINGS.rows() if trains_at_once(row)) or "none"
BY_FOLD = "|".join(re.escape(row) for row in SETTINGS.rows() if not trains_at_once(row)) or "none"


def training_jobs(dataset, protocol):
    """The jobs that train on a data set: what tells them apart in names, folds, rows as a pattern, and if they predict."""
    place, folds = f"{dataset}.{protocol}", folds_of(dataset, protocol)
    at_once, by_fold = [(place, folds, AT_ONCE, True)], [(f"{place}.fold{n}", [n], BY_FOLD, False) for n in folds]
    return [*(at_once if AT_ONCE != "none" else []), *(by_fold if BY_FOLD != "none" else [])]


# Scores, failures and stage quality.


def table_runs(table):
    """Predictions of every row of a table that can be made, on every one of its data sets, all folds and seeds."""
    return [
        f"{run}/predictions.parquet"
        for dataset in datasets_of(table)
        for row in rows_that_run(table, dataset)
        for run in runs(dataset, SETTINGS.tables[table].protocol, row)
    ]


def rows_read(dataset):
    """Rows of all tables that can be made on a data set."""
    tables = [table for table in SETTINGS.make_tables if dataset in datasets_of(table)]
    return list(dict.fromkeys(row for table in tables for row in rows_that_run(table, dataset)))


def final_stores(dataset):
    """The last stores of a data set that the tables read: they carry every failure on the way."""
    features = [stores_of(store_of_features(name), dataset) for name in sorted(features_read(dataset))]
    shown = [picture_stores(SETTINGS.variant(row).frames, dataset) for row in rows_read(dataset)]
    pictures = [stores for of_kind in shown for stores in of_kind.values()]
    return list(dict.fromkeys(store for stores in [*features, *pictures] for store in stores))


def features_read(dataset):
    """Feature sets that the tables read of a data set."""
    return {name for row in rows_read(dataset) for name in SETTINGS.variant(row).feature_sets}


def unavailable():
    """By table: what has no run here, and why."""
    blocks = {table: SETTINGS.tables[table] for table in SETTINGS.make_tables}
    return {
        table: {k: v for dataset in block.datasets for k, v in AVAILABLE.reasons(dataset, block.protocol).items()}
        for table, block in blocks.items()
    }


def facts_of_row(row):
    """What the tables say of how a row was made."""
    block = SETTINGS.variant(row)
    facts = dict(selection=block.selection, **({"training": "end_to_end"} if block.frames else {}))
    if block.official:
        facts["training"] = "fine_tuned" if block.training.steps else "official"
    return facts


def ledgers():
    """Files with the published figures that stand beside ours."""
    own = {name for t in SETTINGS.make_tables for name in SETTINGS.tables[t].published if name.endswith(".csv")}
    return users([os.path.relpath(ledger.FIGURES), *sorted(own)])  # also where the whole folder is moved


def say_what_is_absent():
    """One line a data set that the tables ask for and that is not there."""
    for dataset, file in AVAILABLE.absent().items():
        logger.warning(f"data set {dataset} is absent: no {file}; datasets.{dataset}.root says where it lies")
    for name, path in AVAILABLE.absent_labels().items():
        logger.warning(f"labelled pictures {name} are absent: no {path}; labelled.{name} says where they lie")
    for environment in AVAILABLE.environments_absent():
        logger.warning(f"no {environments.interpreter(environment)}: run `make {environment}` for its estimators")


def labelled_block(name):
    """A labelled set as the stages read it."""
    block = SETTINGS.labelled[name]
    return {key: getattr(block, key) for key in ("form", "annotations", "images", "options", "groups")}


def labelled_files():
    """What detectors and estimators are worth on the labelled pictures that are at hand."""
    return [f"results/quality/labelled.{name}.csv" for name in AVAILABLE.measured_labels()]


def estimators_measured(name):
    return sorted({pair.partition(".")[2] for pair in AVAILABLE.poses_measured(name)})


def detectors_measured(name):
    of_poses = {pair.partition(".")[0] for pair in AVAILABLE.poses_measured(name)}
    return sorted({*AVAILABLE.detectors_measured(name), *of_poses} - {"given"})


def measured_options(name):
    """What `measure_labelled` is told to measure."""
    detection = [f"--detection {detector}" for detector in AVAILABLE.detectors_measured(name)]
    return " ".join([*detection, *(f"--pose {pair}" for pair in AVAILABLE.poses_measured(name))])


def built_blocks(room, names):
    """Blocks of `detection` or `pose` as `measure_labelled` reads them."""
    blocks = {name: getattr(SETTINGS, room)[name] for name in names}
    return as_json({name: dict(use=plugin(room, name), options=block.options) for name, block in blocks.items()})


def made_weights(*estimators):
    """Files of weights that estimators read and this run makes."""
    named = [str(SETTINGS.pose[name].options.get("weights")) for name in estimators]
    return sorted({path for path in named if path in SETTINGS.tuned_weights()})


TUNED = "|".join(SETTINGS.fine_tune) or "none"
LABELLED = "|".join(SETTINGS.labelled) or "none"


def table_block(table):
    """A table as the stages read it."""
    return SETTINGS.tables[table].model_dump(exclude={"published"})


def this_command(wildcards, output):
    """What a user types to make the tables again; --configfile takes all words after it, so it comes last."""
    laid_over = [os.path.relpath(path) for path in workflow.configfiles]
    over = " ".join(path for path in laid_over if path != "config.yaml")
    single = " ".join(shlex.quote(f"{key}={as_json(value)}") for key, value in workflow.config_settings.config.items())
    options = [f" --config {single}" if single else "", f" --configfile {over}" if over else ""]
    return f"snakemake --cores 8 {output.tables}" + "".join(options)


def quality_files():
    """Stage quality against truth, for the data sets of the tables that know it."""
    blocks = {name: block for name, block in SETTINGS.quality.items() if name in used_datasets() and is_simulated(name)}
    faults = [f"results/quality/{name}.faults.csv" for name, block in blocks.items() if block.faults]
    return [*(f"results/quality/{name}.csv" for name in blocks), *faults, *flag_files(), *labelled_files()]


def flag_options(dataset):
    return SETTINGS.quality[dataset].flag_options if dataset in SETTINGS.quality else {}


def flag_files():
    """Suspect frames of the data sets whose pictures are there; no truth is needed."""
    asked = [(name, pair) for name, block in SETTINGS.quality.items() for pair in block.flags]
    return [f"results/quality/{name}.{pair}.flags.csv" for name, pair in asked if name in used_datasets()]


# What there is to look at.


def filmed(dataset):
    """The row whose score is written on the films of a data set, as wildcards: the first network of a table.

    One that reads features alone: these can be cut off to say what the score would be so far.
    """
    for table in SETTINGS.make_tables:
        block = SETTINGS.tables[table]
        for row in block.rows if dataset in datasets_of(table) else []:
            on_features = SETTINGS.variant(row).frames is None
            if is_network(row) and on_features and AVAILABLE.status(row, dataset) == "ok":
                seed = SETTINGS.variant(row).seeds[0]
                return SimpleNamespace(row=row, dataset=dataset, protocol=block.protocol, seed=seed)
    return None


def film_inputs(wildcards):
    """The row's predictions, and what the score so far is predicted from."""
    row = filmed(wildcards.dataset)
    if row is None:
        return {}
    return dict(
        predictions=[path.format(**vars(row)) for path in of_folds(row.dataset, row.protocol, "predictions.parquet")],
        features=feature_stores(row),
        draws=stored_draws(row),
    )


def has_pictures(dataset):
    """Whether pictures of a data set are looked at: its frames are read anyway, or it is all about them."""
    made_of_frames = any(
        source_of(name) == "frames" or SETTINGS.features[name].estimator for name in features_read(dataset)
    )
    made_of_frames |= any(SETTINGS.variant(row).frames for row in rows_read(dataset))
    return SETTINGS.datasets[dataset].starts_at == "videos" and (made_of_frames or SETTINGS.look.all_videos)


def picture_files():
    """Everything there is to look at for the tables that are made."""
    plots = [f"results/plots/{table}/training.png" for table in SETTINGS.make_tables]
    looked = SETTINGS.look.overlays and SETTINGS.look.keypoints
    films = [f"results/plots/films/{dataset}" for dataset in used_datasets() if looked and has_pictures(dataset)]
    sheets = [f"results/plots/sheets/{dataset}.png" for dataset in used_datasets() if has_pictures(dataset)]
    return [*plots, *films, *sheets]


# The report.


def report_inputs(wildcards):
    """Samples of the data sets of the tables, and the stores that pictures of their videos are made of."""
    files = dict(samples=[f"results/samples/{dataset}.parquet" for dataset in used_datasets()])
    if SETTINGS.look.keypoints:
        detector = SETTINGS.look.keypoints.split(".")[0]
        folders = dict(frames="", boxes=f"{detector}/", keypoints=f"{SETTINGS.look.keypoints}/")
        if detector == "given":  # keypoints that a data set brings with it have no boxes
            del folders["boxes"]
        shown = [dataset for dataset in used_datasets() if has_pictures(dataset)]
        for kind, folder in folders.items():
            path = f"results/{kind}/{{dataset}}/{folder}{{shard}}.h5"
            files[kind] = [store for dataset in shown for store in stores_of(path, dataset)]
    return files


def report_options():
    block = SETTINGS.report.model_dump()
    films = "--films" if block.pop("films") else "--no-films"
    return " ".join([films, *(f"--{name} {value}" for name, value in block.items())])


def what_was_asked():
    """The blocks of the configuration that the tables which are made come from."""
    rows = sorted({row for table in SETTINGS.make_tables for row in rows_of(table)})
    sets = sorted({name for row in rows for name in SETTINGS.variant(row).feature_sets})
    blocks = dict(
        tables={name: SETTINGS.tables[name] for name in SETTINGS.make_tables},
        datasets={d: SETTINGS.datasets[d] for t in SETTINGS.make_tables for d in SETTINGS.tables[t].datasets},
        systems={row: SETTINGS.variant(row) for row in rows},
        features={name: SETTINGS.features[name] for name in sets},
    )
    dumped = {kind: {n: b.model_dump(exclude_defaults=True) for n, b in of.items()} for kind, of in blocks.items()}
    return dict(seed=SETTINGS.seed, bootstrap=SETTINGS.bootstrap, **dumped)


# Audit.


def audit_block(dataset):
    return SETTINGS.audit.get(dataset, settings_module.Audit())


def audit_inputs(wildcards):
    block, files = audit_block(wildcards.dataset), dict(samples="results/samples/{dataset}.parquet")
    protocol = block.protocol or next(iter(SETTINGS.datasets[wildcards.dataset].protocols), None)
    if protocol:
        files["folds"] = f"results/folds/{{dataset}}.{protocol}.parquet"
    others = list(filter(AVAILABLE.is_present, block.against))
    if others:
        files["against"] = [f"results/samples/{other}.parquet" for other in others]
    if block.hashing:
        files["frames"] = expand(
            "results/frames/{dataset}/{shard}.h5", dataset=wildcards.dataset, shard=shards(wildcards.dataset)
        )
    return files


def audit_options(wildcards, input):
    block = audit_block(wildcards.dataset)
    paths = [f"--{name} {path}" for name in ("folds", "against", "frames") for path in _paths(input.get(name))]
    return " ".join([*paths, *["--hashing"] * block.hashing, *["--mirrored"] * block.mirrored])


def _paths(files):
    return [] if files is None else [files] if isinstance(files, str) else list(files)


def say_what_is_full():
    """A stage on a full disk cannot even write its log."""
    places = filter(os.path.isdir, (".", "results"))  # which may be another disk, and is not there as another's module
    if min(shutil.disk_usage(place).free for place in places) < 2**20:
        logger.error("results: no space left on device; make room, then the same command goes on")
