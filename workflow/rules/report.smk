# The page that a person reads.


rule report:
    input:
        unpack(report_inputs),
        tables="results/tables.csv",
        comparisons="results/comparisons.csv",
        significance="results/significance.csv",
        detectable="results/detectable.csv",
        failures="results/failures.csv",
        predictions=sorted({run for table in SETTINGS.make_tables for run in table_runs(table)}),  # tables share rows
        quality=quality_files(),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        results=lambda wildcards, input: Path(input.tables).parent,
        predictions=lambda wildcards, input: " ".join(f"--predictions {path}" for path in input.predictions),
        keypoints=SETTINGS.look.keypoints or "",
        videos=report_options(),
        configuration=as_json(what_was_asked()),
        version=stage_version("report"),
    shell:
        "python -m aqa_pipeline.stages.report {params.results} {output} {params.predictions}"
        " --keypoints {params.keypoints:q} --configuration {params.configuration:q} {params.videos} > {log} 2>&1"
