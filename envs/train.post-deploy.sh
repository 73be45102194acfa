#!/usr/bin/env bash
# Run by Snakemake in the environment of train.yaml once it is made. A test keeps the versions in step with the locks.
set -euo pipefail
python -m pip install --no-deps timm==1.0.31 torchvision==0.28.0
