#!/usr/bin/env bash
# Every file and link that README.md and docs/*.md name exists: what moves is caught.
# Usage: documents_test.sh [SOURCE]
set -euo pipefail
root=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
python=python3
command -v python3 >/dev/null || python=/usr/bin/python3
exec "$python" - "$root" <<'PYTHON'
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
# What a run or a user has, and not the repository.
outside = re.compile(
    r"^(RUN|run|out\w*|build|prefix|weights|BSDS500|FOLDER|PATH|share|proc|tmp|anchors/(NAME|clusters)|embeddings|scores"
    r"|metrics|state|agreement|main)(/|$|\.)|^/|[<>*{}$]|NNNN")
# Names without a folder that are files of a run or of other programs.
generic = re.compile(
    r"^(manifest|summary|report|plan|items|identity|config|embeddings|shard-\S*|rank-\S*|NAME|rank|start|open_clip\S*"
    r"|AVA|study|mos_\S+|\S*_score|\S+_reference_list|RN50|bpe_simple_vocab_16e6|mini-quality-photos|case|io\S*|state|table|data|urls)\.[a-z0-9.]+$")
suffix = re.compile(r"\.(h|cpp|S|c|md|yaml|sh|cmake|txt|h5|safetensors|py|tsv)$")
names = {}
problems = []
checked = 0
for path in root.rglob("*"):
    if not {".git", "build"} & set(path.relative_to(root).parts):
        names.setdefault(path.name, []).append(path)


def exists(name, page):
    if any((base / name).exists() for base in (root, root / "src", page.parent)):
        return True
    # "worker/sandbox.h": the end of one path.
    return any(str(path).endswith("/" + name) for path in names.get(pathlib.PurePath(name).name, []))


for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
    text = page.read_text()
    where = page.relative_to(root)
    words = set()
    for code in re.findall(r"`([^`\n]+)`", text):
        words.update(re.findall(r"(?<![\w/.*-])[\w.][\w./-]*[\w]", code))
    for code in re.findall(r"^    (?! )(.+)$", text, flags=re.M):
        words.update(w for w in re.findall(r"(?<![\w/.=:-])[\w][\w./-]*[\w]", code.split("#")[0])
                     if re.match(r"(configs|tools|slurm|anchors|docs|src|tests|jobs|benchmarks)/", w))
    for word in sorted(words):
        word = word.rstrip("/")
        place = re.match(r"(configs|tools|slurm|anchors|docs|src|tests|jobs|benchmarks|cmake)/", word)
        if not (place or suffix.search(word)) or outside.search(word) or generic.match(word):
            continue
        checked += 1
        if not exists(word, page):
            problems.append(f"{where}: there is no {word}")
    headings = {}
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", text):
        checked += 1
        if target and "://" not in target and not exists(target, page):
            problems.append(f"{where}: there is no {target}")
        if anchor and not target:
            titles = {"#" + re.sub(r"[^\w -]", "", t.lower()).strip().replace(" ", "-")
                      for t in re.findall(r"^#+ (.+)$", text, flags=re.M)}
            if anchor not in titles:
                problems.append(f"{where}: no heading for {anchor}")
print("\n".join(problems))
print(f"{checked} names checked")
sys.exit(1 if problems or checked < 100 else 0)
PYTHON
