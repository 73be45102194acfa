# Draws, training and prediction: a folder a fold and seed.


rule draw_pairs:
    input:
        samples="results/samples/{dataset}.parquet",
        folds="results/folds/{dataset}.{protocol}.parquet",
        features=feature_stores,
        frames=frame_stores,
        boxes=athlete_stores,
    output:
        "results/pairs/{row}/{dataset}.{protocol}/seed{seed}.parquet",
    log:
        "results/logs/draw_pairs/{row}.{dataset}.{protocol}.seed{seed}.log",
    benchmark:
        "results/benchmarks/draw_pairs/{row}.{dataset}.{protocol}.seed{seed}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1500),
        runtime=grown(20),
        gpu=0,
    params:
        options=draw_options,
        pictures=pictures_given,
        version=stage_version("draw_pairs"),
    shell:
        "python -m aqa_pipeline.stages.draw_pairs {input.samples} {input.folds} {output} {input.features}"
        " {params.options} {params.pictures} > {log} 2>&1"


# A job a fold where pictures or whole epochs are learnt from. A few hundred steps on features, or a classic, take little
# longer than the start of Python, and so do its predictions: one job trains all folds and predicts their test parts.
# Their numbers differ from protocol to protocol, and with them the rules.
for dataset, protocol in evaluated():

    for place, folds, rows, predicts in training_jobs(dataset, protocol):

        rule:
            name:
                f"train_{place.replace('.', '_')}"
            input:
                samples=f"results/samples/{dataset}.parquet",
                folds=f"results/folds/{dataset}.{protocol}.parquet",
                features=lambda wildcards, dataset=dataset: feature_stores(wildcards, dataset),
                frames=lambda wildcards, dataset=dataset: frame_stores(wildcards, dataset),
                boxes=lambda wildcards, dataset=dataset: athlete_stores(wildcards, dataset),
                masks=lambda wildcards, dataset=dataset: mask_stores(wildcards, dataset),
                truth=lambda wildcards, dataset=dataset: truth_stores(wildcards, dataset),
                draws=lambda wildcards, dataset=dataset, protocol=protocol: stored_draws(wildcards, dataset, protocol),
                official=official_file,
            output:
                of_folds(dataset, protocol, "weights.safetensors", "config.json", "history.csv", folds=folds),
                of_folds(dataset, protocol, "predictions.parquet", folds=folds if predicts else []),
            log:
                f"results/logs/train/{{row}}.{place}.seed{{seed}}.log",
            benchmark:
                f"results/benchmarks/train/{{row}}.{place}.seed{{seed}}.tsv"
            wildcard_constraints:
                row=rows,
            conda:
                "../../envs/train.yaml"
            threads: lambda wildcards: training_of(wildcards).devices * (1 + training_of(wildcards).workers)
            resources:
                mem_mb=grown(training_mb),
                runtime=grown(training_minutes),
                gpu=devices_of_training,
                workers=lambda wildcards: training_of(wildcards).workers,  # no parameter: another number re-runs nothing
                kept_mb=kept_mb,
            params:
                out=lambda wildcards, output: str(Path(output[0]).parents[1]),
                run=lambda wildcards, dataset=dataset: run_options(wildcards, dataset),
                folds=" ".join(f"--fold {fold}" for fold in folds),
                predict="--predict" if predicts else "",
                draws=lambda wildcards, input: " ".join(f"--draws {path}" for path in input.draws),
                truth=lambda wildcards, input: " ".join(f"--truth {path}" for path in input.truth),
                options=lambda wildcards: as_json(variant_of(wildcards).options),
                python=launcher,
                training=training_options,
                clips=clip_options,
                roles=lambda wildcards: as_json(variant_of(wildcards).roles),
                frames=frame_options,
                pictures=pictures_given,
                version=stage_version("train"),
                predicted=stage_version("predict") if predicts else None,  # another one trains again
            shell:
                "{params.python} -m aqa_pipeline.stages.train {input.samples} {input.folds} {params.out} {input.features}"
                " {params.run} {params.folds} {params.predict} --seed {wildcards.seed} {params.draws} {params.truth}"
                " --options {params.options:q} --training {params.training:q} --clips {params.clips:q}"
                " --roles {params.roles:q} --frames-options {params.frames:q} {params.pictures}"
                " --workers {resources.workers} --memory-mb {resources.kept_mb} > {log} 2>&1"

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
            f"results/logs/predict/{{row}}.{dataset}.{protocol}.seed{{seed}}.log",
        benchmark:
            f"results/benchmarks/predict/{{row}}.{dataset}.{protocol}.seed{{seed}}.tsv"
        wildcard_constraints:
            row=BY_FOLD,
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=grown(predicting_mb),
            kept_mb=kept_mb,
            runtime=grown(60),
            gpu=devices_of_prediction,
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
