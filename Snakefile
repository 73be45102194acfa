# From competition video to the score tables of the action quality assessment literature.
#
#   snakemake --cores 8 results/tables.csv                                     the embedded data set
#   snakemake --cores 8 results/tables.csv --configfile experiments/NAME.yaml   another paper's tables
from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/videos.smk"
include: "workflow/rules/poses.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/pictures.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/labelled.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/report.smk"


say_what_is_absent()


onerror:
    say_what_is_full()


localrules:
    all,
    embedded_weights,
    labelled_quality,


rule all:
    default_target: True
    input:
        "results/tables.csv",
        "results/failures.csv",
        "results/report.html",
        quality_files(),
        picture_files(),
