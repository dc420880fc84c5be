"""file_formats.py SOURCE RUN: what a run holds against docs/file-formats.md; see file_formats_test.sh."""

import csv
import json
import pathlib
import re
import subprocess
import sys

import h5py

source, run = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
document = (source / "docs/file-formats.md").read_text()
sections = {}
for part in re.split(r"^## ", document, flags=re.M)[1:]:
    title, _, text = part.partition("\n")
    sections[title.strip()] = text
problems = []
found = 0


def described(name, section, where):
    """Whether `name` stands as code in one of the sections (title, or titles with '|' between)."""
    global found
    found += 1
    texts = " ".join(sections[title] for title in section.split("|"))
    if not re.search(r"`[^`\n]*(?<![\w])" + re.escape(name) + r"(?![\w])[^`\n]*`", texts):
        problems.append(f"{where}: {name} is not in the section {section}")


def keys(value, section, where, free=()):
    """Every key of JSON, at any depth; below those in `free`, keys are data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            described(key, section, where)
            if key in free:
                for data in inner.values() if isinstance(inner, dict) else ():
                    if isinstance(data, dict):
                        keys(data, section, where, free)
            else:
                keys(inner, section, where, free)
    elif isinstance(value, list):
        for inner in value:
            keys(inner, section, where, free)


COMMON = "HDF5 files: seal and common attributes"
HDF5 = {
    "quasar embedding shard": "embeddings/shard-NNNNNN.h5",
    "quasar virtual dataset": "embeddings.h5",
    "quasar score shard": "scores/shard-NNNNNN.h5",
    "quasar anchor file": "Anchor files",
}
SETS = ("shipped", "built", "rated")


def hdf5(path, where):
    block = path.read_bytes()[:512]
    if not re.fullmatch(rb"Quasar: HDF5 after 512 bytes, their xxh128 [0-9a-f]{32}\n"
                        rb"(Without the bytes \d+\+\d+(,\d+\+\d+)*, xxh128 [0-9a-f]{32}\n)? *", block):
        problems.append(f"{where}: its first 512 bytes are not as described")
    with h5py.File(path) as file:
        kind = file.attrs["kind"]
        section = HDF5[kind]
        if file.attrs["schema_version"] != (3 if kind == "quasar embedding shard" else 1):
            problems.append(f"{where}: another schema version than described")
        described(kind, COMMON, where)
        for name in file.attrs:
            described(name, section + "|" + COMMON, where)

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                described(re.sub(r"^score/.*", "score/NAME", name), section, where)

        file.visititems(visit)
        return kind


def embedded(folder):
    """Files of a folder of embeddings."""
    return {
        "plan.json": lambda p, w: keys(json.loads(p.read_text()), "plan.json|items.jsonl", w,
                                       ("description", "left_out", "noted", "stamps", "tars")),
        "items.jsonl": lambda p, w: [keys(json.loads(line), "items.jsonl", w, ("fields",))
                                     for line in p.read_text().splitlines()],
        "embeddings.h5": hdf5,
    }


def columns(names, where):
    for name in names:
        if name not in SETS:
            described(name, "manifest.csv and manifest.jsonl", where)


def metrics(path, where):
    for line in path.read_text().splitlines():
        if line.startswith("# TYPE "):
            described(line.split()[2], "metrics/rank-N.prom", where)
        elif not line.startswith("#"):
            for label in re.findall(r"[{,](\w+)=", line):
                described(label, "metrics/rank-N.prom", where)


RULES = [
    (r"(data/[0-9a-f]{20}/)?plan\.json", embedded(run)["plan.json"]),
    (r"(data/[0-9a-f]{20}/)?items\.jsonl", embedded(run)["items.jsonl"]),
    (r"(data/[0-9a-f]{20}/)?embeddings\.h5", hdf5),
    (r"(data/[0-9a-f]{20}/)?embeddings/shard-\d{6}\.h5", hdf5),
    (r"(data/[0-9a-f]{20}/)?metrics/rank-\d+\.prom", metrics),
    (r"anchors/\w+\.h5", hdf5),
    (r"scores/shard-\d{6}\.h5", hdf5),
    (r"identity\.json", lambda p, w: keys(json.loads(p.read_text()), "identity.json", w)),
    (r"software\.json", lambda p, w: keys(json.loads(p.read_text()), "software.json", w)),
    (r"config\.yaml", lambda p, w: described("config.yaml", "config.yaml", w) if p.stat().st_size else None),
    (r"manifest\.csv", lambda p, w: columns(next(csv.reader(p.open())), w)),
    (r"manifest\.jsonl", lambda p, w: [columns(json.loads(line), w) for line in p.read_text().splitlines()]),
    (r"summary\.json", lambda p, w: keys(json.loads(p.read_text()), "summary.json", w,
                                         ("by_status", "by_reason", "computed_on", "left_out", "noted", "minimum", "keep",
                                          "weights", "columns", "filters", "at_least"))),
    (r"report\.html", lambda p, w: None),
    (r"state/(start|rank)\.lock", lambda p, w: described(w, "state: locks", w)),
]
seen = set()
for path in sorted(p for p in run.rglob("*") if p.is_file()):
    name = path.relative_to(run).as_posix()
    rule = next((rule for rule in RULES if re.fullmatch(rule[0], name)), None)
    if rule is None:
        problems.append(f"{name}: docs/file-formats.md and this test know no such file")
        continue
    seen.add(rule[0])
    rule[1](path, name)
for pattern, _ in RULES:
    if pattern not in seen:
        problems.append(f"the run has no file {pattern}, which is described")

# The examples, as they stand.
examples = re.findall(r"^    import h5py.*\n(?:(?:    .*)?\n)*?(?=^[^ \n]|\Z)", document, flags=re.M)
if len(examples) < 3:
    problems.append(f"{len(examples)} examples with h5py")
for example in examples:
    code = "\n".join(line[4:] for line in example.splitlines())
    code = code.replace("RUN/", f"{run}/").replace("'anchors/", f"'{source}/anchors/")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if result.returncode != 0:
        problems.append(f"an example fails: {result.stderr}\n{code}")

print("\n".join(sorted(set(problems))))
print(f"{found} names found")
sys.exit(1 if problems or found < 200 else 0)
