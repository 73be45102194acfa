#!/usr/bin/env bash
# Run by Snakemake in the environment of pose.yaml once it is made. A test keeps the versions in step with the locks.
set -euo pipefail
python -m pip install --no-deps mediapipe==0.10.21 rtmlib==0.0.16 timm==1.0.31 torchvision==0.28.0
