#!/bin/bash
# Continues vitron-tiny from the shipped weights for 12 minutes on one GPU, with a checkpoint every 100 steps, then averages
# it with them and writes the figures of both. The same command goes on. To ship the mean where all figures are better:
# docs/training.md, "Shipping a checkpoint".
#
#   bash training/continue_tiny.sh [MINUTES] [WORKERS] [FOLDER for the figures]
set -euo pipefail
minutes=${1:-12} workers=${2:-16} folder=${3:-out/vitron-tiny}
shipped=vitron_ros/assets/vitron-tiny

python -m training.train training/configs/tiny_continued.yaml --minutes "$minutes" --workers "$workers"
python -m training.export --checkpoint out/vitron-tiny/continued --average $shipped --out "$folder/continued-mean"
for model in $shipped "$folder/continued-mean"; do
  python -m training.evaluate --checkpoint "$model" --split val --json > "$folder/$(basename "$model").json"
done
python - "$folder" <<'EOF'
import json, sys
before, after = (json.load(open(f"{sys.argv[1]}/{name}.json")) for name in ("vitron-tiny", "continued-mean"))
for key in ("rec_acc50", "rsot_auc", "qa_em", "invocation_em"):
    print(f"{key}: {before[key]:.3f} before, {after[key]:.3f} after")
EOF
