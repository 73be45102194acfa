# To look at: plots of a table, a contact sheet of its videos, overlay films.


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
            scatter=expand("results/plots/{table}/scatter.{dataset}.png", table=table, dataset=drawn_datasets(table)),
            ranks=expand(
                "results/plots/{table}/critical_difference.{dataset}.png", table=table, dataset=drawn_datasets(table)
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
            mem_mb=grown(2000),
            runtime=grown(20),
            gpu=0,
        params:
            name=table,
            table=as_json(table_block(table)),
            out=lambda wildcards, output: Path(output.training).parent,
            version=stage_version("plot"),
        shell:
            "python -m aqa_pipeline.stages.plot {input.predictions} --scores {input.scores} --tables {input.tables}"
            " --out {params.out} --name {params.name} --table {params.table:q} > {log} 2>&1"


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
        mem_mb=grown(2000),
        runtime=grown(20),
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
        mem_mb=grown(2000),
        runtime=grown(30),
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
