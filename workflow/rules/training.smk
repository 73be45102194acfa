# Draws, training and prediction, one run a fold and seed.


rule draw_pairs:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
        frames=frame_stores,
        boxes=athlete_stores,
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
        pictures=pictures_given,
        version=stage_version("draw_pairs"),
    shell:
        "python -m aqa_pipeline.stages.draw_pairs {input.samples} {input.folds} {output} {input.features}"
        " {params.options} {params.pictures} > {log} 2>&1"


rule train:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
        frames=frame_stores,
        boxes=athlete_stores,
        masks=mask_stores,
        draws=stored_draws,
        official=official_file,
    output:
        weights="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/weights.safetensors",
        config="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/config.json",
        history="results/runs/{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/history.csv",
    log:
        "results/logs/train/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{system}.{variant}.{dataset}.{protocol}.fold{fold}.seed{seed}.tsv"
    wildcard_constraints:
        system=NETWORKS,
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards: training_of(wildcards).devices * (1 + training_of(wildcards).workers)
    resources:
        mem_mb=training_mb,
        runtime=240,
        gpu=lambda wildcards: GPU * training_of(wildcards).devices,
        workers=lambda wildcards: training_of(wildcards).workers,  # no parameter: another number re-runs nothing
        kept_mb=kept_mb,
    params:
        out=lambda wildcards, output: str(Path(output.weights).parents[1]),
        run=run_options,
        options=lambda wildcards: as_json(variant_of(wildcards).options),
        python=launcher,
        training=lambda wildcards: as_json(training_of(wildcards).model_dump(exclude={"workers"})),
        clips=lambda wildcards: as_json(variant_of(wildcards).clips.model_dump()),
        roles=lambda wildcards: as_json(variant_of(wildcards).roles),
        frames=frame_options,
        pictures=pictures_given,
        version=stage_version("train"),
    shell:
        "{params.python} -m aqa_pipeline.stages.train {input.samples} {input.folds} {params.out} {input.features}"
        " {params.run} --fold {wildcards.fold} --seed {wildcards.seed} --draws {input.draws}"
        " --options {params.options:q} --training {params.training:q} --clips {params.clips:q}"
        " --roles {params.roles:q} --frames-options {params.frames:q} {params.pictures}"
        " --workers {resources.workers} --memory-mb {resources.kept_mb} > {log} 2>&1"


# The number of folds differs from protocol to protocol, so what serves all folds has rules for each.
for dataset, protocol in evaluated():

    rule:
        name:
            f"fit_{dataset}_{protocol}"
        input:
            samples=f"results/samples/{dataset}.parquet",
            folds=f"results/folds/{dataset}.{protocol}.parquet",
            features=lambda wildcards, dataset=dataset: feature_stores(wildcards, dataset),
            frames=lambda wildcards, dataset=dataset: frame_stores(wildcards, dataset),
            boxes=lambda wildcards, dataset=dataset: athlete_stores(wildcards, dataset),
            truth=lambda wildcards, dataset=dataset: truth_stores(wildcards, dataset),
        output:
            of_folds(dataset, protocol, "weights.safetensors", "config.json", "history.csv"),
        log:
            f"results/logs/fit/{{system}}.{{variant}}.{dataset}.{protocol}.seed{{seed}}.log",
        benchmark:
            f"results/benchmarks/fit/{{system}}.{{variant}}.{dataset}.{protocol}.seed{{seed}}.tsv"
        wildcard_constraints:
            system=CLASSICS,
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards: 3000 + kept_mb(wildcards),
            kept_mb=kept_mb,
            runtime=60,
            gpu=0,
        params:
            out=lambda wildcards, output: str(Path(output[0]).parents[1]),
            run=lambda wildcards, dataset=dataset: run_options(wildcards, dataset),
            options=lambda wildcards: as_json(variant_of(wildcards).options),
            folds=" ".join(f"--fold {fold}" for fold in folds_of(dataset, protocol)),
            roles=lambda wildcards: as_json(variant_of(wildcards).roles),
            truth=lambda wildcards, input: " ".join(f"--truth {path}" for path in input.truth),
            frames=frame_options,
            pictures=pictures_given,
            version=stage_version("train"),
        shell:
            "python -m aqa_pipeline.stages.train {input.samples} {input.folds} {params.out} {input.features}"
            " {params.run} {params.folds} --seed {wildcards.seed} {params.truth}"
            " --options {params.options:q} --roles {params.roles:q} --frames-options {params.frames:q} {params.pictures}"
            " --memory-mb {resources.kept_mb} --threads {threads} > {log} 2>&1"

    rule:
        name:
            f"predict_{dataset}_{protocol}"
        input:
            samples=f"results/samples/{dataset}.parquet",
            folds=f"results/folds/{dataset}.{protocol}.parquet",
            features=lambda wildcards, dataset=dataset: feature_stores(wildcards, dataset),
            frames=lambda wildcards, dataset=dataset: frame_stores(wildcards, dataset),
            boxes=lambda wildcards, dataset=dataset: athlete_stores(wildcards, dataset),
            draws=lambda wildcards, dataset=dataset, protocol=protocol: stored_draws(wildcards, dataset, protocol),
            truth=lambda wildcards, dataset=dataset: truth_stores(wildcards, dataset),
            weights=of_folds(dataset, protocol, "weights.safetensors"),
            configs=of_folds(dataset, protocol, "config.json"),
        output:
            of_folds(dataset, protocol, "predictions.parquet"),
        log:
            f"results/logs/predict/{{system}}.{{variant}}.{dataset}.{protocol}.seed{{seed}}.log",
        benchmark:
            f"results/benchmarks/predict/{{system}}.{{variant}}.{dataset}.{protocol}.seed{{seed}}.tsv"
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards: 3000 + kept_mb(wildcards),
            kept_mb=kept_mb,
            runtime=60,
            gpu=lambda wildcards: GPU * ("draws" in needs(wildcards.system)),
        params:
            runs=lambda wildcards, input: " ".join(f"--run {Path(path).parent}" for path in input.configs),
            draws=lambda wildcards, input: " ".join(f"--draws {path}" for path in input.draws),
            truth=lambda wildcards, input: " ".join(f"--truth {path}" for path in input.truth),
            pictures=pictures_given,
            version=stage_version("predict"),
        shell:
            "python -m aqa_pipeline.stages.predict {input.samples} {input.folds} {input.features}"
            " {params.runs} {params.draws} {params.truth} {params.pictures} --memory-mb {resources.kept_mb}"
            " --threads {threads} > {log} 2>&1"
