# Labelled pictures: what detectors and estimators are worth on them, and estimators trained further on them.


rule measure_labelled:
    input:
        annotations=lambda wildcards: SETTINGS.labelled[wildcards.labels].annotations,
        weights=lambda wildcards: made_weights(*estimators_measured(wildcards.labels)),
    output:
        "results/quality/labelled.{labels}.csv",
    log:
        "results/logs/measure_labelled/{labels}.log",
    benchmark:
        "results/benchmarks/measure_labelled/{labels}.tsv"
    wildcard_constraints:
        labels=LABELLED,
    conda:
        lambda wildcards: environment_of(*estimators_measured(wildcards.labels))
    threads: READERS
    resources:
        mem_mb=grown(3000 + GPU_MB),
        runtime=grown(120),
        gpu=GPU,
    params:
        python=lambda wildcards: python_of(*estimators_measured(wildcards.labels)),
        labelled=lambda wildcards: as_json(labelled_block(wildcards.labels)),
        detectors=lambda wildcards: built_blocks("detection", detectors_measured(wildcards.labels)),
        estimators=lambda wildcards: built_blocks("pose", estimators_measured(wildcards.labels)),
        measured=lambda wildcards: measured_options(wildcards.labels),
        bootstrap=SETTINGS.bootstrap,
        seed=SETTINGS.seed,
        version=stage_version("measure_labelled"),
    shell:
        "{params.python} -m aqa_pipeline.stages.measure_labelled {output}"
        " --labelled {params.labelled:q} --detectors {params.detectors:q}"
        " --estimators {params.estimators:q} {params.measured}"
        " --bootstrap {params.bootstrap} --seed {params.seed} --threads {threads} > {log} 2>&1"


rule fine_tune_estimator:
    input:
        annotations=lambda wildcards: [
            SETTINGS.labelled[name].annotations for name in SETTINGS.fine_tune[wildcards.tuned].labelled
        ],
        start=lambda wildcards: [w for w in SETTINGS.tuned_weights() if w == SETTINGS.fine_tune[wildcards.tuned].start],
    output:
        weights="results/weights/{tuned}.safetensors",
        history="results/weights/{tuned}.csv",
        validation="results/weights/{tuned}.validation.csv",
    log:
        "results/logs/fine_tune_estimator/{tuned}.log",
    benchmark:
        "results/benchmarks/fine_tune_estimator/{tuned}.tsv"
    wildcard_constraints:
        tuned=TUNED,
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=grown(6000),
        runtime=grown(240),
        gpu=0,
    params:
        labelled=lambda wildcards: in_order(
            {n: labelled_block(n) for n in SETTINGS.fine_tune[wildcards.tuned].labelled}
        ),
        block=lambda wildcards: SETTINGS.fine_tune[wildcards.tuned],
        options=lambda wildcards: as_json(SETTINGS.fine_tune[wildcards.tuned].options),
        validation=lambda wildcards: " ".join(
            f"--validation {shlex.quote(group)}" for group in SETTINGS.fine_tune[wildcards.tuned].validation
        ),
        bootstrap=SETTINGS.bootstrap,
        version=stage_version("fine_tune_estimator"),
    shell:
        "python -m aqa_pipeline.stages.fine_tune_estimator {output.weights} --labelled {params.labelled:q}"
        " --start {params.block.start:q} --keypoint-set {params.block.keypoint_set}"
        " {params.validation} --validation-share {params.block.validation_share} --steps {params.block.steps}"
        " --seed {params.block.seed} --threads {threads} --options {params.options:q}"
        " --bootstrap {params.bootstrap} > {log} 2>&1"


rule labelled_quality:
    input:
        labelled_files(),
