# To look at: plots of a table, a contact sheet of its videos, overlay films.


def filmed(dataset):
    """The row whose score is written on the films of a data set, as wildcards: the first network of a table."""
    for table in SETTINGS.make_tables:
        block = SETTINGS.tables[table]
        for row in block.rows if dataset in block.datasets else []:
            system, variant = row.split(".")
            if "draws" in needs(system):
                seed = SETTINGS.variant(row).seeds[0]
                names = dict(system=system, variant=variant, dataset=dataset, protocol=block.protocol, seed=seed)
                return SimpleNamespace(**names)
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
    return SETTINGS.datasets[dataset].starts_at == "videos"


def picture_files():
    """Everything there is to look at for the tables that are made."""
    plots = [f"results/plots/{table}/training.png" for table in SETTINGS.make_tables]
    looked = SETTINGS.look.overlays and SETTINGS.look.keypoints
    films = [f"results/plots/films/{dataset}" for dataset in used_datasets() if looked and has_pictures(dataset)]
    sheets = [f"results/plots/sheets/{dataset}.png" for dataset in used_datasets() if has_pictures(dataset)]
    return [*plots, *films, *sheets]


for table in SETTINGS.make_tables:

    rule:
        name:
            f"plot_{table}"
        input:
            predictions=table_runs(table),
            scores=f"results/scores/{table}.csv",
            tables="results/tables.csv",
        output:
            overview=expand(
                "results/plots/{table}/overview.{metric}.png", table=table, metric=SETTINGS.tables[table].metrics
            ),
            scatter=expand(
                "results/plots/{table}/scatter.{dataset}.png", table=table, dataset=SETTINGS.tables[table].datasets
            ),
            training=f"results/plots/{table}/training.png",
        log:
            f"results/logs/plot/{table}.log",
        benchmark:
            f"results/benchmarks/plot/{table}.tsv"
        conda:
            "../../envs/base.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
            gpu=0,
        params:
            name=table,
            table=as_json(table_block(table)),
            out=f"results/plots/{table}",
            version=stage_version("plot"),
        shell:
            "python -m aqa_pipeline.stages.plot {input.predictions} {input.scores} {input.tables} {params.out}"
            " --name {params.name} --table {params.table:q} > {log} 2>&1"


rule contact_sheet:
    input:
        samples="results/samples/{dataset}.parquet",
        frames=lambda wildcards: expand("results/frames/{{dataset}}/{shard}.h5", shard=shards(wildcards.dataset)),
    output:
        "results/plots/sheets/{dataset}.png",
    log:
        "results/logs/contact_sheet/{dataset}.log",
    benchmark:
        "results/benchmarks/contact_sheet/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        version=stage_version("contact_sheet"),
    shell:
        "python -m aqa_pipeline.stages.contact_sheet {input.samples} {input.frames} {output} > {log} 2>&1"


rule overlay:
    input:
        unpack(film_inputs),
        samples="results/samples/{dataset}.parquet",
        frames=lambda wildcards: expand("results/frames/{{dataset}}/{shard}.h5", shard=shards(wildcards.dataset)),
        boxes=lambda wildcards: expand(
            "results/boxes/{{dataset}}/{detector}/{shard}.h5",
            detector=SETTINGS.look.keypoints.split(".")[0],
            shard=shards(wildcards.dataset),
        ),
        keypoints=lambda wildcards: expand(
            "results/keypoints/{{dataset}}/{keypoints}/{shard}.h5",
            keypoints=SETTINGS.look.keypoints,
            shard=shards(wildcards.dataset),
        ),
    output:
        directory("results/plots/films/{dataset}"),
    log:
        "results/logs/overlay/{dataset}.log",
    benchmark:
        "results/benchmarks/overlay/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        n_videos=SETTINGS.look.overlays,
        folders=lambda wildcards, input: " ".join(
            str(Path(paths[0]).parent) for paths in (input.frames, input.boxes, input.keypoints)
        ),
        row=lambda wildcards, input: " ".join(
            f"--{name} {path}" for name in ("predictions", "features", "draws") for path in input.get(name, [])
        ),
        version=stage_version("overlay"),
    shell:
        "python -m aqa_pipeline.stages.overlay {input.samples} {params.folders} {output}"
        " --n-videos {params.n_videos} {params.row} > {log} 2>&1"
