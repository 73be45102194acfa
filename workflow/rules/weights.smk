# The weights that ship with the package, made again from simulated dives of other seeds than any evaluated:
#
#   snakemake --cores 2 embedded_weights
#
# The files land in results/weights/; `--register` of the two stages puts them into the package.
TRAINED_ON = "simdive_training"

# The whole-body estimator goes on from the one of 17 points, which are its first.
BEGINS_WITH = {"coco_wholebody_133": "results/weights/estimator_coco_17.safetensors"}


rule train_detector:
    input:
        frames=expand("results/frames/{dataset}/{shard}.h5", dataset=TRAINED_ON, shard=shards(TRAINED_ON)),
        truth=expand("results/truth/{dataset}/{shard}.h5", dataset=TRAINED_ON, shard=shards(TRAINED_ON)),
    output:
        "results/weights/athlete_detector.safetensors",
    log:
        "results/logs/train_detector/athlete_detector.log",
    benchmark:
        "results/benchmarks/train_detector/athlete_detector.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=grown(6000),
        runtime=grown(120),
        gpu=0,
    params:
        truth=lambda wildcards, input: Path(input.truth[0]).parent,
        version=stage_version("train_detector"),
    shell:
        "python -m aqa_pipeline.stages.train_detector {output} {input.frames} {params.truth}"
        " --threads {threads} > {log} 2>&1"


rule train_estimator:
    input:
        frames=expand("results/frames/{dataset}/{shard}.h5", dataset=TRAINED_ON, shard=shards(TRAINED_ON)),
        truth=expand("results/truth/{dataset}/{shard}.h5", dataset=TRAINED_ON, shard=shards(TRAINED_ON)),
        start=lambda wildcards: BEGINS_WITH.get(wildcards.keypoint_set, []),
    output:
        "results/weights/estimator_{keypoint_set}.safetensors",
    log:
        "results/logs/train_estimator/{keypoint_set}.log",
    benchmark:
        "results/benchmarks/train_estimator/{keypoint_set}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=grown(6000),
        runtime=grown(120),
        gpu=0,
    params:
        truth=lambda wildcards, input: Path(input.truth[0]).parent,
        options=lambda wildcards, input: as_json({"start": str(input.start)} if input.start else {}),
        steps=lambda wildcards, input: 2000 if input.start else 5000,
        version=stage_version("train_estimator"),
    shell:
        "python -m aqa_pipeline.stages.train_estimator {output} {input.frames} {params.truth}"
        " --keypoint-set {wildcards.keypoint_set} --steps {params.steps} --options {params.options:q} --threads {threads} > {log} 2>&1"


rule embedded_weights:
    input:
        "results/weights/athlete_detector.safetensors",
        expand("results/weights/estimator_{keypoint_set}.safetensors", keypoint_set=["coco_17", "coco_wholebody_133"]),
