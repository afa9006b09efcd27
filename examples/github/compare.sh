#!/usr/bin/env bash
# The step of action.yml: compares BASE with HEAD, writes the comment, the job's summary and the outputs, and ends with
# the exit code of the comparison. Inputs come as variables, never as text of this script: a path cannot become a command.
set -uo pipefail

json=${RUNNER_TEMP:-/tmp}/ncu-roofline.json
args=("$BASE" "$HEAD" --force)
while IFS= read -r rule; do [ -z "$rule" ] || args+=(--fail-if "$rule"); done <<< "$FAIL_IF"
while IFS= read -r what; do [ -z "$what" ] || args+=(--vary "$what"); done <<< "$VARY"
[ -z "$MODEL" ] || args+=(--model "$MODEL")
[ -z "$PHASE" ] || args+=(--phase "$PHASE")

rm -f "$json" "$COMMENT"
ncu-roofline compare "${args[@]}" --format json -o "$json" --comment "$COMMENT"
code=$?

if [ -s "$COMMENT" ]; then
  cat "$COMMENT" >> "$GITHUB_STEP_SUMMARY"
else
  echo "The captures could not be compared: the log of this step says why (exit code $code)." >> "$GITHUB_STEP_SUMMARY"
fi

# -I: the workspace may be a stranger's checkout, and a json.py in it is not ours to import
python -I - "$json" "$COMMENT" >> "$GITHUB_OUTPUT" << 'PYTHON'
import json
import sys
from pathlib import Path

answer, comment = map(Path, sys.argv[1:])
told = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {"verdict": "unusable"}
numbers = told.get("numbers") or {}


def head(what: str) -> object:
    value = (numbers.get(what) or {}).get("head")
    return "" if value is None else value


print(f"verdict={told['verdict']}")
print(f"bytes-per-token={head('bytes')}")
print(f"time-per-token={head('seconds')}")
print(f"json={answer if answer.exists() else ''}")
print(f"comment-file={comment if comment.exists() else ''}")
PYTHON
exit "$code"
