# Scores with intervals, the tables, stage quality against truth, and what was left out.


rule collect_failures:
    input:
        lambda wildcards: [store for dataset in used_datasets() for store in final_stores(dataset)],
    output:
        "results/failures.csv",
    log:
        "results/logs/collect_failures.log",
    benchmark:
        "results/benchmarks/collect_failures.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
        gpu=0,
    params:
        limits=as_json({name: SETTINGS.datasets[name].max_failed_fraction for name in used_datasets()}),
        version=stage_version("collect_failures"),
    shell:
        "python -m aqa_pipeline.stages.collect_failures {input} --out {output}"
        " --limits {params.limits:q} > {log} 2>&1"


rule score:
    input:
        predictions=lambda wildcards: table_runs(wildcards.table),
        failures="results/failures.csv",
    output:
        scores="results/scores/{table}.csv",
        pairs="results/scores/{table}.pairs.csv",
        detectable="results/scores/{table}.detectable.csv",
    log:
        "results/logs/score/{table}.log",
    benchmark:
        "results/benchmarks/score/{table}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
        gpu=0,
    params:
        table=lambda wildcards: as_json(table_block(wildcards.table)),
        bootstrap=SETTINGS.bootstrap,
        seed=SETTINGS.seed,
        version=stage_version("score"),
    shell:
        "python -m aqa_pipeline.stages.score {input.predictions} --out {output.scores} --pairs {output.pairs}"
        " --detectable {output.detectable} --table {params.table:q}"
        " --bootstrap {params.bootstrap} --seed {params.seed} > {log} 2>&1"


rule tabulate:
    input:
        scores=expand("results/scores/{table}.csv", table=SETTINGS.make_tables),
        beside=expand("results/scores/{table}.{kind}.csv", table=SETTINGS.make_tables, kind=["pairs", "detectable"]),
        ledgers=ledgers(),
    output:
        tables="results/tables.csv",
        comparisons="results/comparisons.csv",
        significance="results/significance.csv",
        detectable="results/detectable.csv",
    log:
        "results/logs/tabulate.log",
    benchmark:
        "results/benchmarks/tabulate.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
        gpu=0,
    params:
        tables=in_order({name: SETTINGS.tables[name].model_dump() for name in SETTINGS.make_tables}),
        variants=as_json({row: facts_of_row(row) for row in SETTINGS.rows()}),
        absent=as_json(unavailable()),
        published_as=as_json({n: b.published_as for n, b in SETTINGS.datasets.items() if b.published_as}),
        command=this_command,
        version=stage_version("tabulate"),
    shell:
        "python -m aqa_pipeline.stages.tabulate {input.scores} {output.tables} {output.comparisons}"
        " {output.significance} {output.detectable}"
        " --tables {params.tables:q} --variants {params.variants:q} --command {params.command:q}"
        " --absent {params.absent:q} --published-as {params.published_as:q} > {log} 2>&1"


rule measure_quality:
    input:
        truth=lambda wildcards: expand("results/truth/{{dataset}}/{shard}.h5", shard=shards(wildcards.dataset)),
        boxes=lambda wildcards: expand(
            "results/boxes/{{dataset}}/{name}/{shard}.h5",
            name=SETTINGS.quality[wildcards.dataset].detection,
            shard=shards(wildcards.dataset),
        ),
        keypoints=lambda wildcards: expand(
            "results/keypoints/{{dataset}}/{name}/{shard}.h5",
            name=SETTINGS.quality[wildcards.dataset].pose,
            shard=shards(wildcards.dataset),
        ),
    output:
        "results/quality/{dataset}.csv",
    log:
        "results/logs/measure_quality/{dataset}.log",
    benchmark:
        "results/benchmarks/measure_quality/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(3000),
        runtime=grown(30),
        gpu=0,
    params:
        boxes=lambda wildcards, input: " ".join(f"--boxes {path}" for path in input.boxes),
        keypoints=lambda wildcards, input: " ".join(f"--keypoints {path}" for path in input.keypoints),
        version=stage_version("measure_quality"),
    shell:
        "python -m aqa_pipeline.stages.measure_quality {input.truth} {output} {params.boxes} {params.keypoints}"
        " > {log} 2>&1"


rule measure_faults:
    input:
        samples="results/samples/{dataset}.parquet",
        truth=lambda wildcards: expand("results/truth/{{dataset}}/{shard}.h5", shard=shards(wildcards.dataset)),
        keypoints=lambda wildcards: expand(
            "results/keypoints/{{dataset}}/{name}/{shard}.h5",
            name=SETTINGS.quality[wildcards.dataset].faults,
            shard=shards(wildcards.dataset),
        ),
    output:
        "results/quality/{dataset}.faults.csv",
    log:
        "results/logs/measure_faults/{dataset}.log",
    benchmark:
        "results/benchmarks/measure_faults/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
        gpu=0,
    params:
        truth=lambda wildcards, input: " ".join(f"--truth {path}" for path in input.truth),
        keypoints=lambda wildcards, input: " ".join(f"--keypoints {path}" for path in input.keypoints),
        version=stage_version("measure_faults"),
    shell:
        "python -m aqa_pipeline.stages.measure_faults {input.samples} {output} {params.truth} {params.keypoints}"
        " > {log} 2>&1"


# Quality without truth: frames that the clip itself speaks against.
rule flag_keypoints:
    input:
        keypoints=lambda wildcards: expand(
            "results/keypoints/{{dataset}}/{{detector}}.{{estimator}}/{shard}.h5", shard=shards(wildcards.dataset)
        ),
        boxes=lambda wildcards: expand(
            "results/boxes/{{dataset}}/{{detector}}/{shard}.h5", shard=shards(wildcards.dataset)
        ),
        frames=lambda wildcards: expand("results/frames/{{dataset}}/{shard}.h5", shard=shards(wildcards.dataset)),
    output:
        flags="results/quality/{dataset}.{detector}.{estimator}.flags.csv",
        worst="results/quality/{dataset}.{detector}.{estimator}.worst.csv",
        sheet="results/quality/{dataset}.{detector}.{estimator}.worst.png",
    log:
        "results/logs/flag_keypoints/{dataset}.{detector}.{estimator}.log",
    benchmark:
        "results/benchmarks/flag_keypoints/{dataset}.{detector}.{estimator}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
        gpu=0,
    params:
        stores=lambda wildcards, input: " ".join(
            f"--{kind} {path}" for kind in ("keypoints", "boxes", "frames") for path in input.get(kind)
        ),
        options=lambda wildcards: as_json(flag_options(wildcards.dataset)),
        version=stage_version("flag_keypoints"),
    shell:
        "python -m aqa_pipeline.stages.flag_keypoints {output.flags} {output.worst} {output.sheet} {params.stores}"
        " --options {params.options:q} > {log} 2>&1"
