# What a data set holds and where it can mislead; only when asked for by name.


rule audit:
    input:
        unpack(audit_inputs),
    output:
        findings="results/audit/{dataset}.csv",
        details="results/audit/{dataset}.details.csv",
        picture="results/audit/{dataset}.png",
    log:
        "results/logs/audit/{dataset}.log",
    benchmark:
        "results/benchmarks/audit/{dataset}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=grown(1500),
        runtime=grown(30),
        gpu=0,
    params:
        adapter=lambda wildcards: plugin("datasets", wildcards.dataset),
        options=lambda wildcards: as_json(adapter_options(wildcards.dataset)),
        given=audit_options,
        bootstrap=SETTINGS.bootstrap,
        seed=SETTINGS.seed,
        version=stage_version("audit"),
    shell:
        "python -m aqa_pipeline.stages.audit {input.samples} {output.findings} --name {wildcards.dataset}"
        " --adapter {params.adapter} --options {params.options:q}"
        " --bootstrap {params.bootstrap} --seed {params.seed} {params.given} > {log} 2>&1"
