#!/usr/bin/env bash
# Builds one environment for each family of toolkits and holds every adapter to the
# specification, from the root of the repository:
#
#   tests/conformance/environments.sh FOLDER
#
# Reports go to FOLDER as text and as pages. Deviations are what is looked for, so a report
# that is not good does not stop the run. About 4 GB and, on two cores, ten minutes.
set -euo pipefail
folder=${1:?usage: tests/conformance/environments.sh FOLDER}
torch=torch==2.13.0 # named every time: without it a build for graphics cards comes
mkdir -p "$folder"

environment() { # name, packages...
  local python="$folder/$1/bin/python"
  [ -x "$python" ] || python3 -m venv "$folder/$1"
  "$python" -m pip install --quiet "$torch" numpy
  [ $# -eq 1 ] || "$python" -m pip install --quiet "${@:2}" "$torch"
}

hold() { # adapter, environment
  local python="$folder/$2/bin/python"
  minprune conformance "$1" --python "$python" --html "$folder/$1.html" \
    >"$folder/$1.txt" || [ $? -eq 1 ]
  head -n 1 "$folder/$1.txt"
}

environment torch
environment torch-pruning torch-pruning==1.6.1
environment torchao torchao==0.18.0
environment nncf nncf==3.4.0

hold torch_prune torch
hold torch_ao torch
hold torch_pruning torch-pruning
hold torchao torchao
hold nncf nncf

for pair in torch_ao:torch torch_pruning:torch-pruning torchao:torchao nncf:nncf; do
  "$folder/${pair#*:}/bin/python" -m tests.conformance.suspects "${pair%%:*}" \
    >"$folder/${pair%%:*}-suspects.txt" 2>/dev/null
done
