#!/usr/bin/env bash
# Builds an environment for each family of toolkits, holds the adapters to the
# specification and executes the suspicions, from the root of the repository:
#
#   tests/conformance/environments.sh FOLDER [TOOLKIT...]
#
# Reports go to FOLDER as JSON and, beside each other, to all.html. Deviations are what is
# looked for, so a report that is not good does not stop the run. All of them take about
# 10 GB and, on two cores, half an hour.
set -euo pipefail
folder=${1:?usage: tests/conformance/environments.sh FOLDER [TOOLKIT...]}
torch=torch==2.13.0 # named every time: without it a build for graphics cards comes
mkdir -p "$folder"

into() { # environment, what pip takes...
  python="$folder/$1/bin/python"
  [ -x "$python" ] || python3 -m venv "$folder/$1"
  "$python" -m pip install --quiet "${@:2}"
}

# One function for each adapter. Those that install without dependencies would otherwise
# ask for another torch, or for packages that no longer install.

torch_prune() { into torch "$torch" numpy; }
torch_ao() { torch_prune; }
torch_pruning() { into torch-pruning "$torch" torch-pruning==1.6.1; }
torchao() { into torchao "$torch" torchao==0.18.0; }
nncf() { into nncf "$torch" nncf==3.4.0; }
tfmot() {
  into tfmot tensorflow-cpu tensorflow-model-optimization==0.8.1 tf_keras
}

llm_compressor() {
  into llm-compressor "$torch"
  into llm-compressor --no-deps llmcompressor==0.14.0.1 compressed-tensors==0.19.0
  into llm-compressor loguru pyyaml requests tqdm 'transformers>=5.15,<=5.17' \
    accelerate pillow pydantic psutil datasets "$torch"
}

nni() { frozen; }
sparseml() { frozen; }
neural_compressor() { frozen; }
frozen() { # the last versions, which agree on NumPy 1
  into frozen "$torch" 'numpy<2'
  into frozen --no-deps nni==3.0 sparseml==1.8.0 neural-compressor==2.6 \
    sparsezoo==1.8.1 toposort GPUtil merge-args
  into frozen colorama astor cloudpickle 'filelock<3.12' json-tricks nvidia-ml-py \
    packaging pandas prettytable psutil pyyaml requests responses schema scikit-learn \
    tqdm 'transformers<4.50' 'typeguard<4.1.3,>=3' websockets 'numpy<2' deprecated py-cpuinfo pillow \
    opencv-python-headless 'pydantic<2.8,>=2' 'onnx<1.17' click pycocotools matplotlib \
    geocoder validators py-machineid six 'setuptools<81' "$torch"
}

hold() { # adapter
  minprune conformance "$1" --python "$python" --json >"$folder/$1.json" || [ $? -eq 1 ]
  beside+=(--beside "$folder/$1.json")
  local file name
  for file in "tests/conformance/suspects/$1"{,_*}.py; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .py)
    "$python" -m tests.conformance.suspects "$name" \
      >"$folder/$name-suspects.txt" 2>/dev/null
  done
}

[ $# -gt 1 ] || set -- "$1" torch_prune torch_ao torch_pruning torchao nncf \
  tfmot llm_compressor nni sparseml neural_compressor
for toolkit in "${@:2}"; do
  "$toolkit"
  hold "$toolkit"
done
minprune conformance minprune --html "$folder/all.html" "${beside[@]}"
