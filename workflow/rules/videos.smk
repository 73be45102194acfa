# Videos, the table that lists them, and their frames.


rule simulate:
    output:
        videos=directory("results/videos/{dataset}/{shard}"),
        truth="results/truth/{dataset}/{shard}.h5",
    log:
        "results/logs/simulate/{dataset}.{shard}.log",
    benchmark:
        "results/benchmarks/simulate/{dataset}.{shard}.tsv"
    wildcard_constraints:
        dataset=SIMULATED,
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1500),
        runtime=grown(60),
        gpu=0,
    params:
        options=lambda wildcards: as_json(SETTINGS.datasets[wildcards.dataset].options),
        shards=lambda wildcards: SETTINGS.datasets[wildcards.dataset].shards,
        version=stage_version("simulate"),
    shell:
        "python -m aqa_pipeline.stages.simulate {output.videos} {output.truth}"
        " --shard {wildcards.shard} --shards {params.shards} --options {params.options:q} > {log} 2>&1"


# The number of shards differs from data set to data set, so each has a rule of its own.
for dataset in SETTINGS.datasets:

    checkpoint:
        name:
            f"list_samples_{dataset}"
        input:
            videos=(
                expand(
                    "results/videos/{dataset}/{shard}",
                    dataset=dataset,
                    shard=shards(dataset),
                )
                if is_simulated(dataset)
                else []
            ),
            files=lambda wildcards, dataset=dataset: annotation_files(dataset),
        output:
            samples=f"results/samples/{dataset}.parquet",
            shards=expand(
                "results/samples/{dataset}/{shard}.parquet",
                dataset=dataset,
                shard=shards(dataset),
            ),
        log:
            f"results/logs/list_samples/{dataset}.log",
        benchmark:
            f"results/benchmarks/list_samples/{dataset}.tsv"
        conda:
            "../../envs/base.yaml"
        threads: 1
        resources:
            mem_mb=grown(1000),
            runtime=grown(10),
            gpu=0,
        params:
            adapter=plugin("datasets", dataset),
            options=lambda wildcards, input, dataset=dataset: as_json(adapter_options(dataset, videos=input.videos)),
            version=stage_version("list_samples"),
        shell:
            "python -m aqa_pipeline.stages.list_samples {output.samples} {output.shards}"
            " --adapter {params.adapter} --options {params.options:q} > {log} 2>&1"


rule extract_frames:
    input:
        SHARD_LIST,
    output:
        "results/frames/{dataset}/{shard}.h5",
    log:
        "results/logs/extract_frames/{dataset}.{shard}.log",
    benchmark:
        "results/benchmarks/extract_frames/{dataset}.{shard}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1500),
        runtime=grown(60),
        gpu=0,
    params:
        quality=lambda wildcards: SETTINGS.datasets[wildcards.dataset].quality,
        max_height=lambda wildcards: SETTINGS.datasets[wildcards.dataset].max_height,
        min_frames=lambda wildcards: SETTINGS.datasets[wildcards.dataset].min_frames,
        version=stage_version("extract_frames"),
    shell:
        "python -m aqa_pipeline.stages.extract_frames {input} {output} --quality {params.quality}"
        " --max-height {params.max_height} --min-frames {params.min_frames} > {log} 2>&1"


rule make_folds:
    input:
        samples="results/samples/{dataset}.parquet",
        excluding=lambda wildcards: [f"results/samples/{other}.parquet" for other in protocol_of(wildcards).excluding],
    output:
        "results/folds/{dataset}.{protocol}.parquet",
    log:
        "results/logs/make_folds/{dataset}.{protocol}.log",
    benchmark:
        "results/benchmarks/make_folds/{dataset}.{protocol}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
        gpu=0,
    params:
        protocol=lambda wildcards: protocol_of(wildcards).use or wildcards.protocol,
        folds=lambda wildcards: protocol_of(wildcards).folds,
        validation=lambda wildcards: protocol_of(wildcards).validation,
        options=lambda wildcards: as_json(protocol_of(wildcards).options),
        excluding=lambda wildcards, input: " ".join(f"--excluding {path}" for path in input.excluding),
        seed=SETTINGS.seed,
        version=stage_version("make_folds"),
    shell:
        "python -m aqa_pipeline.stages.make_folds {input.samples} {output} --protocol {params.protocol}"
        " --n-folds {params.folds} --validation {params.validation} --seed {params.seed}"
        " --options {params.options:q} {params.excluding} > {log} 2>&1"
