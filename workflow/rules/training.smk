# Draws, training and prediction, one run a fold and seed.


def variant_of(wildcards):
    return SETTINGS.variant(row_of(wildcards))


def system_of(wildcards):
    return variant_of(wildcards).use or wildcards.system


def feature_stores(wildcards):
    features = variant_of(wildcards).features
    if features is None:
        return []
    return expand(
        store_of_features(features),
        dataset=wildcards.dataset,
        shard=shards(wildcards.dataset),
    )


def truth_stores(wildcards):
    if "truth" not in needs(row_of(wildcards)) or not is_simulated(wildcards.dataset):
        return []
    return expand(
        "results/truth/{dataset}/{shard}.h5",
        dataset=wildcards.dataset,
        shard=shards(wildcards.dataset),
    )


def stored_draws(wildcards):
    """Only what is trained step by step has draws; a classic is fitted on the whole training part."""
    if "draws" not in needs(row_of(wildcards)):
        return []
    return [
        f"results/pairs/{row_of(wildcards)}/{wildcards.dataset}.{wildcards.protocol}/seed{wildcards.seed}.parquet"
    ]


def draw_options(wildcards):
    block = variant_of(wildcards)
    choose = block.exemplars.choose if block.exemplars else "none"
    votes = block.exemplars.n_exemplars if block.exemplars else 1
    return (
        f"--exemplars {choose} --n-exemplars {votes} --steps {block.training.steps}"
        f" --batch {block.training.batch} --seed {SETTINGS.seed + int(wildcards.seed)}"
    )


def run_options(wildcards):
    block = variant_of(wildcards)
    return (
        f"--system {system_of(wildcards)} --target {block.target} --selection {block.selection}"
        f" --control {block.control} --adapter {plugin('datasets', wildcards.dataset)}"
    )


def draws_and_truth(wildcards, input):
    return " ".join(
        [
            *(f"--draws {path}" for path in input.draws),
            *(f"--truth {path}" for path in input.truth),
        ]
    )


rule draw_pairs:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
    output:
        "results/pairs/{system}.{variant}/{dataset}.{protocol}/seed{seed}.parquet",
    log:
        "results/logs/draw_pairs/{system}.{variant}.{dataset}.{protocol}.seed{seed}.log",
    benchmark:
        "results/benchmarks/draw_pairs/{system}.{variant}.{dataset}.{protocol}.seed{seed}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=20,
        gpu=0,
    params:
        options=draw_options,
        version=stage_version("draw_pairs"),
    shell:
        "python -m aqa_pipeline.stages.draw_pairs {input.samples} {input.folds} {output} {input.features}"
        " {params.options} > {log} 2>&1"


rule train:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
        draws=stored_draws,
        truth=truth_stores,
    output:
        weights="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/weights.safetensors",
        config="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/config.json",
        history="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/history.csv",
    log:
        "results/logs/train/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=lambda wildcards: GPU * ("draws" in needs(row_of(wildcards))),
    params:
        run=run_options,
        options=lambda wildcards: as_json(variant_of(wildcards).options),
        training=lambda wildcards: as_json(variant_of(wildcards).training.model_dump()),
        clips=lambda wildcards: as_json(
            variant_of(wildcards).clips.model_dump() if stored_draws(wildcards) else {}
        ),
        more=draws_and_truth,
        version=stage_version("train"),
    shell:
        "python -m aqa_pipeline.stages.train {input.samples} {input.folds} $(dirname {output.weights})"
        " {input.features} {params.run} --fold {wildcards.fold} --seed {wildcards.seed} --options {params.options:q}"
        " --training {params.training:q} --clips {params.clips:q}"
        " {params.more} --threads {threads} > {log} 2>&1"


rule predict:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
        draws=stored_draws,
        truth=truth_stores,
        weights="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/weights.safetensors",
        config="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/config.json",
    output:
        "results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/predictions.parquet",
    log:
        "results/logs/predict/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.log",
    benchmark:
        "results/benchmarks/predict/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=lambda wildcards: GPU * ("draws" in needs(row_of(wildcards))),
    params:
        more=draws_and_truth,
        version=stage_version("predict"),
    shell:
        "python -m aqa_pipeline.stages.predict {input.samples} {input.folds} $(dirname {input.weights}) {output}"
        " {input.features} {params.more} --threads {threads} > {log} 2>&1"
