# The athlete's box and keypoints in every frame.


rule detect_athlete:
    input:
        frames="results/frames/{dataset}/{shard}.h5",
        listed=SHARD_LIST,
    output:
        "results/boxes/{dataset}/{detector}/{shard}.h5",
    log:
        "results/logs/detect_athlete/{dataset}.{detector}.{shard}.log",
    benchmark:
        "results/benchmarks/detect_athlete/{dataset}.{detector}.{shard}.tsv"
    conda:
        "../../envs/pose.yaml"
    threads: READERS
    resources:
        mem_mb=grown(2000 + GPU_MB),
        runtime=grown(60),
        gpu=GPU,
    params:
        detector=lambda wildcards: plugin("detection", wildcards.detector),
        options=lambda wildcards: as_json(SETTINGS.detection[wildcards.detector].options),
        athlete=lambda wildcards: SETTINGS.detection[wildcards.detector].athlete,
        athlete_options=lambda wildcards: as_json(SETTINGS.detection[wildcards.detector].athlete_options),
        version=stage_version("detect_athlete"),
    shell:
        "python -m aqa_pipeline.stages.detect_athlete {input.frames} {output}"
        " --detector {params.detector} --options {params.options:q}"
        " --athlete {params.athlete} --athlete-options {params.athlete_options:q} --threads {threads} > {log} 2>&1"


rule estimate_keypoints:
    input:
        frames="results/frames/{dataset}/{shard}.h5",
        boxes="results/boxes/{dataset}/{detector}/{shard}.h5",
        listed=SHARD_LIST,
        weights=lambda wildcards: made_weights(wildcards.estimator),
    output:
        "results/keypoints/{dataset}/{detector}.{estimator}/{shard}.h5",
    log:
        "results/logs/estimate_keypoints/{dataset}.{detector}.{estimator}.{shard}.log",
    benchmark:
        "results/benchmarks/estimate_keypoints/{dataset}.{detector}.{estimator}.{shard}.tsv"
    wildcard_constraints:
        estimator=ESTIMATED,
    conda:
        lambda wildcards: environment_of(wildcards.estimator)
    threads: READERS
    resources:
        mem_mb=grown(2000 + GPU_MB),
        runtime=grown(60),
        gpu=GPU,
    params:
        estimator=lambda wildcards: plugin("pose", wildcards.estimator),
        python=lambda wildcards: python_of(wildcards.estimator),
        options=lambda wildcards: as_json(SETTINGS.pose[wildcards.estimator].options),
        version=stage_version("estimate_keypoints"),
    shell:
        "{params.python} -m aqa_pipeline.stages.estimate_keypoints {input.frames} {input.boxes} {output}"
        " --estimator {params.estimator} --options {params.options:q} --threads {threads} > {log} 2>&1"


# A data set that brings keypoints of its own: they stand where estimated ones would.
rule import_keypoints:
    input:
        SHARD_LIST,
    output:
        "results/keypoints/{dataset}/given.given/{shard}.h5",
    log:
        "results/logs/import_keypoints/{dataset}.{shard}.log",
    benchmark:
        "results/benchmarks/import_keypoints/{dataset}.{shard}.tsv"
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
        version=stage_version("import_keypoints"),
    shell:
        "python -m aqa_pipeline.stages.import_keypoints {input} {output}"
        " --adapter {params.adapter} --options {params.options:q} > {log} 2>&1"


# Keypoints of another block made smooth: a changed filter estimates no pose again.
rule smooth_keypoints:
    input:
        keypoints=raw_keypoints,
        boxes=boxes_behind,
        listed=SHARD_LIST,
    output:
        "results/keypoints/{dataset}/{detector}.{estimator}/{shard}.h5",
    log:
        "results/logs/smooth_keypoints/{dataset}.{detector}.{estimator}.{shard}.log",
    benchmark:
        "results/benchmarks/smooth_keypoints/{dataset}.{detector}.{estimator}.{shard}.tsv"
    wildcard_constraints:
        estimator=SMOOTHED,
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(30),
        gpu=0,
    params:
        estimator=lambda wildcards: plugin("pose", wildcards.estimator),
        options=lambda wildcards: as_json(SETTINGS.pose[wildcards.estimator].options),
        boxes=lambda wildcards, input: f"--boxes {input.boxes}" if input.boxes else "",
        version=stage_version("smooth_keypoints"),
    shell:
        "python -m aqa_pipeline.stages.smooth_keypoints {input.keypoints} {output} {params.boxes}"
        " --estimator {params.estimator} --options {params.options:q} > {log} 2>&1"


ruleorder: smooth_keypoints > import_keypoints > estimate_keypoints
