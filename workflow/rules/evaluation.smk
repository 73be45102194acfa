# Scores with intervals, the tables, stage quality against truth, and what was left out.


def table_runs(table):
    """Predictions of every row of a table on every one of its data sets, all folds and seeds."""
    block = SETTINGS.tables[table]
    return [
        f"{run}/predictions.parquet"
        for dataset in block.datasets
        for row in rows_of(table)
        for run in runs(dataset, block.protocol, row)
    ]


def final_stores(dataset):
    """The last stores of a data set that the tables read: they carry every failure on the way."""
    rows = {
        row for table in SETTINGS.make_tables if dataset in SETTINGS.tables[table].datasets for row in rows_of(table)
    }
    used = [SETTINGS.variant(row).features for row in rows]
    return [
        store_of_features(features).format(dataset=dataset, shard=shard)
        for features in sorted(set(filter(None, used)))
        for shard in shards(dataset)
    ]


def table_block(table):
    return SETTINGS.tables[table].model_dump(exclude={"published"})


def this_command():
    """What a user types to make the tables again; --configfile takes all words after it, so it comes last."""
    laid_over = [os.path.relpath(path) for path in workflow.configfiles]
    over = " ".join(path for path in laid_over if path != "config.yaml")
    return "snakemake --cores 8 results/tables.csv" + (f" --configfile {over}" if over else "")


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
        mem_mb=1000,
        runtime=10,
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
        "results/scores/{table}.csv",
    log:
        "results/logs/score/{table}.log",
    benchmark:
        "results/benchmarks/score/{table}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        table=lambda wildcards: as_json(table_block(wildcards.table)),
        bootstrap=SETTINGS.bootstrap,
        seed=SETTINGS.seed,
        version=stage_version("score"),
    shell:
        "python -m aqa_pipeline.stages.score {input.predictions} {output} --table {params.table:q}"
        " --bootstrap {params.bootstrap} --seed {params.seed} > {log} 2>&1"


rule tabulate:
    input:
        expand("results/scores/{table}.csv", table=SETTINGS.make_tables),
    output:
        tables="results/tables.csv",
        comparisons="results/significance.csv",
    log:
        "results/logs/tabulate.log",
    benchmark:
        "results/benchmarks/tabulate.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        tables=in_order({name: SETTINGS.tables[name].model_dump() for name in SETTINGS.make_tables}),
        variants=as_json({row: {"selection": SETTINGS.variant(row).selection} for row in SETTINGS.rows()}),
        command=this_command(),
        version=stage_version("tabulate"),
    shell:
        "python -m aqa_pipeline.stages.tabulate {input} {output.tables} {output.comparisons}"
        " --tables {params.tables:q} --variants {params.variants:q} --command {params.command:q} > {log} 2>&1"
