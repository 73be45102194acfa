#!/usr/bin/env bash
# Run by Snakemake in the environment of mmpose.yaml once it is made. A test keeps the versions in step with the locks.
set -euo pipefail
python -m pip install --no-deps mmcv-lite==2.1.0 mmdet==3.3.0 mmengine==0.10.7 mmpose==1.3.2
python -m pip install --no-deps --no-build-isolation --no-binary :all: xtcocotools==1.14.3
