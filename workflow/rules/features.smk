# One feature sequence a video, from keypoints, from the athlete's pictures, or from files.


rule extract_features:
    input:
        stores=feature_inputs,
        listed=SHARD_LIST,
    output:
        "results/features/{dataset}/{feature_set}/{shard}.h5",
    log:
        "results/logs/extract_features/{dataset}.{feature_set}.{shard}.log",
    benchmark:
        "results/benchmarks/extract_features/{dataset}.{feature_set}.{shard}.tsv"
    conda:
        "../../envs/pose.yaml"
    threads: 1
    resources:
        mem_mb=grown(features_mb),
        runtime=grown(60),
        gpu=devices_of_features,
    params:
        extractor=lambda wildcards: plugin("features", wildcards.feature_set),
        options=lambda wildcards: as_json(SETTINGS.features[wildcards.feature_set].options),
        version=stage_version("extract_features"),
    shell:
        "python -m aqa_pipeline.stages.extract_features {input.stores} --out {output}"
        " --extractor {params.extractor} --options {params.options:q} > {log} 2>&1"


rule import_features:
    input:
        SHARD_LIST,
    output:
        "results/features/{dataset}/{feature_set}/{shard}.h5",
    log:
        "results/logs/import_features/{dataset}.{feature_set}.{shard}.log",
    benchmark:
        "results/benchmarks/import_features/{dataset}.{feature_set}.{shard}.tsv"
    wildcard_constraints:
        feature_set=FROM_FILES,
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1500),
        runtime=grown(30),
        gpu=0,
    params:
        adapter=lambda wildcards: plugin("datasets", wildcards.dataset),
        options=lambda wildcards: as_json(adapter_options(wildcards.dataset)),
        version=stage_version("import_features"),
    shell:
        "python -m aqa_pipeline.stages.import_features {input} {output}"
        " --adapter {params.adapter} --options {params.options:q} > {log} 2>&1"


ruleorder: import_features > extract_features
