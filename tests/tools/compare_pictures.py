#!/usr/bin/env python3
"""Decodes pictures as a run does, and as Pillow does, and says where and why the two differ.

  compare_pictures.py SERVER QUASAR_DECODE FOLDER... [--mutations N] [--seed S] [--jobs N] [--rows FILE]
  compare_pictures.py SERVER QUASAR_DECODE FOLDER --table FILE

SERVER is the build's quasar_picture_server. Pillow (Debian: python3-pil) is the reference: what Image.open(...) and
convert("RGB") give. With --mutations, N files made from those of the folders are compared as well: cut, with bytes
changed, and with segments, chunks, blocks or boxes dropped, doubled or swapped; the same seed makes the same files.

Prints how often each pair of verdicts came, by format and reason, as a table of Markdown, and writes a line for each
file to --rows. --table writes what tests/image/reference_test.cpp compares with. Ends with 1 where a file got no
answer, a worker crashed or timed out, or a difference has no reason.
"""
import argparse
import collections
import hashlib
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy
import PIL
from PIL import Image

warnings.simplefilter("ignore")
Image.MAX_IMAGE_PIXELS = None
MOST_PIXELS = 50_000_000  # Of the server, too.
OPENED = ("jpeg", "png", "webp", "tiff", "gif", "heif")


class Server:
    """The program at the other end of two pipes."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def decode(self, path):
        self.process.stdin.write(os.fsencode(path) + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"no answer to {path}")
        answer = json.loads(line)
        pixels = self.process.stdout.read(answer["bytes"])
        answer["pixels"] = None
        if pixels:
            answer["pixels"] = numpy.frombuffer(pixels, numpy.uint8).reshape(answer["height"], answer["width"], 3)
        return answer


class Slow(Exception):
    pass


def on_alarm(*_):
    raise Slow()


class Reference:
    """What Pillow makes of a file."""

    def __init__(self, data, header_only=False):
        self.mode = self.kind = self.pixels = self.orientation = None
        self.animated = False
        signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(10)
        try:
            with Image.open(io.BytesIO(data)) as image:
                self.mode, self.kind = image.mode, image.format
                self.animated = image.format == "PNG" and image.is_animated
                if image.width * image.height > MOST_PIXELS:
                    self.said = "too large"
                    return
                if header_only:
                    self.said = "not read"
                    return
                if self.kind == "TIFF":
                    self.orientation = image.tag_v2.get(274, 1)
                self.pixels = numpy.asarray(image.convert("RGB"))
                self.said = "ok"
        except Slow:
            self.said = "slow"
        except Exception as error:  # Anything may come out of a broken file.
            self.said = f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)


def difference(ours, theirs):
    """Greatest difference of a sample; None where the sizes differ."""
    if ours.shape != theirs.shape:
        return None
    return int(numpy.abs(ours.astype(numpy.int16) - theirs).max())


# Reasons for differences that stay. Each: a condition on (our answer, the reference, the difference of pixels), and
# the words for it; the first that holds counts.
def both_ok(ours, ref):
    return ours["status"] == "ok" and ref.pixels is not None


def only_ours(ours, ref):
    return ours["status"] == "ok" and ref.pixels is None


def only_theirs(ours, ref):
    return ours["status"] != "ok" and ref.pixels is not None


REASONS = [
    (lambda o, r, d: both_ok(o, r) and d == 0, "the same pixels"),
    (lambda o, r, d: r.said == "not read", "a format that is not opened here"),
    (lambda o, r, d: o["status"] != "ok" and r.pixels is None, "refused by both"),
    (lambda o, r, d: both_ok(o, r) and r.kind == "TIFF" and (r.orientation or 1) != 1,
     "Pillow turns TIFFs by their orientation; here only decode.honour_orientation does"),
    (lambda o, r, d: both_ok(o, r) and r.mode in ("I", "I;16", "I;16B", "I;16L", "F"),
     "16 and 32 bits of grey are scaled to 8; Pillow cuts them off at 255"),
    (lambda o, r, d: both_ok(o, r) and r.mode == "LAB", "Lab by libvips's conversion, not by a colour profile"),
    (lambda o, r, d: both_ok(o, r) and o["format"] == "tiff" and r.mode in ("RGBA", "RGBa") and d is not None,
     "TIFF: 16-bit colours are divided by their alpha before they are cut to 8 bits; Pillow divides after"),
    (lambda o, r, d: both_ok(o, r) and o["format"] == "tiff" and d is not None and d <= 1,
     "TIFF tiles of separate planes: libtiff rounds 16 bits to 8, Pillow cuts them"),
    (lambda o, r, d: both_ok(o, r) and o["format"] == "tiff" and r.mode == "1",
     "damaged fax data that libtiff only warns of: libvips and Pillow restore them each in its way"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "tiff" and r.mode == "1",
     "damaged fax data that libtiff only warns of; Pillow gives them up"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "tiff" and "truncated" in r.said,
     "all that libtiff wants is there; Pillow's own reader of TIFFs wants more"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "jpeg" and "libjpeg: " in o["error"],
     "libjpeg says that data are lost; Pillow gives grey or garbage for them"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "jpeg" and "last pass" in o["error"],
     "passes of a progressive JPEG are missing, which Pillow does not look for"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "jpeg" and "truncated" in r.said,
     "all coded data are there, and no end mark, for which Pillow waits"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "jpeg",
     "all coded data are there; Pillow refuses their metadata, or what follows them"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "png" and "CRC" in o["error"],
     "libpng finds a wrong checksum; Pillow does not check those of pixels"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "png" and o["status"] == "bad_header",
     "PNG chunks that are doubled, missing or out of place: libpng refuses them, Pillow goes on"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "png",
     "PNG data that end before their end mark, or are no whole stream: libpng refuses them, Pillow takes what came"),
    (lambda o, r, d: both_ok(o, r) and r.kind == "PNG" and r.animated,
     "an animated PNG with its chunks out of order: Pillow shows a frame, libpng the picture"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "png",
     "all pixels are there; Pillow refuses a chunk that holds none of them"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "heif", f"Pillow {PIL.__version__} reads no HEIF or AVIF"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "tiff" and "Unidentified" in r.said,
     "a kind of TIFF pixels that Pillow does not know"),
    (lambda o, r, d: only_theirs(o, r) and r.kind == "TIFF" and o["status"] in ("bad_header", "unsupported_pixels"),
     "a TIFF that libvips and libtiff refuse: by its directory, or 12 bits"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "tiff",
     "libtiff says that data are lost or corrupt; Pillow gives what it makes of them"),
    (lambda o, r, d: only_ours(o, r) and o["format"] == "gif" and "truncated" in r.said,
     "GIF: all pixels are there, and no end, for which Pillow waits"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "gif" and o["status"] == "bad_header",
     "GIF: codes of a size that means nothing, which Pillow does not look at"),
    (lambda o, r, d: only_theirs(o, r) and o["format"] == "gif",
     "GIF: the data of the first picture end early; Pillow reads on in what follows them"),
]


def reason(ours, ref):
    difference_ = difference(ours["pixels"], ref.pixels) if both_ok(ours, ref) else None
    for holds, words in REASONS:
        if holds(ours, ref, difference_):
            return words
    return "unexplained"


# Mutations.
def jpeg_parts(data):
    at, parts = 2, [data[:2]]
    while at + 4 <= len(data) and data[at] == 0xFF:
        size = 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        if data[at + 1] == 0xDA:
            break
        parts.append(data[at:at + size])
        at += size
    # What is coded, between markers.
    begin = at
    while at + 1 < len(data):
        at = data.find(b"\xff", at + 1)
        if at < 0:
            break
        if at + 1 < len(data) and data[at + 1] != 0:
            parts.append(data[begin:at])
            begin = at
    parts.append(data[begin:])
    return parts


def sized_parts(data, at, header, size_at, form, extra):
    """Parts that say their size: `extra` bytes more than it at `size_at` of their header."""
    parts = [data[:at]]
    while at + header <= len(data):
        size = struct.unpack(form, data[at + size_at:at + size_at + 4])[0] + extra
        if size < header:
            break
        parts.append(data[at:at + size])
        at += size
    parts.append(data[at:])
    return parts


def parts_of(data):
    if data[:2] == b"\xff\xd8":
        return jpeg_parts(data)
    if data[:4] == b"\x89PNG":
        return sized_parts(data, 8, 12, 0, ">I", 12)
    if data[:4] == b"RIFF":
        return sized_parts(data, 12, 8, 4, "<I", 8)
    if data[4:8] == b"ftyp":
        return sized_parts(data, 0, 8, 0, ">I", 0)
    step = max(1, len(data) // 16)
    return [data[i:i + step] for i in range(0, len(data), step)]


def mutate(data, rng):
    kind = rng.choice(("cut", "bytes", "bytes", "drop", "double", "swap"))
    if kind == "cut":
        return kind, data[:rng.randrange(len(data))]
    if kind == "bytes":
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8, 32))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return kind, bytes(changed)
    parts = [part for part in parts_of(data) if part]
    at = rng.randrange(len(parts))
    if kind == "drop":
        parts.pop(at)
    elif kind == "double":
        parts.insert(at, parts[at])
    else:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    return kind, b"".join(parts)


def files_below(folders):
    for top in folders:
        for folder, inner, files in os.walk(top):
            inner.sort()
            for name in sorted(files):
                yield os.path.join(folder, name)


def grid(pixels):
    """Means of 4x4 cells, R, G and B of each, row by row."""
    height, width, _ = pixels.shape
    rows = [height * i // 4 for i in range(5)]
    columns = [width * i // 4 for i in range(5)]
    return " ".join(str(int(pixels[rows[y]:rows[y + 1], columns[x]:columns[x + 1], c].mean() + 0.5))
                    for y in range(4) for x in range(4) for c in range(3))


def by_libavif(path):
    """What avifdec (Debian: libavif-bin) makes of it; None without. Pillow reads AVIF by libavif from 11.3 on."""
    if not shutil.which("avifdec"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "picture.png")
        command = ["avifdec", "--no-strict", path, out]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            return None
        with Image.open(out) as image:
            return numpy.asarray(image.convert("RGB"))


def expectation(name, data, ours):
    """(how to compare, the reference's pixels, greatest difference)"""
    if b"irot" in data or b"imir" in data:
        return None
    ref = Reference(data)
    theirs = ref.pixels if ref.pixels is not None else by_libavif(name) if ours["format"] == "heif" else None
    if theirs is None:
        return None
    apart = difference(ours["pixels"], theirs)
    if apart == 0:
        return "same", theirs, 0
    if ref.mode in ("I", "I;16", "I;16B", "I;16L"):
        with Image.open(io.BytesIO(data)) as image:
            upper = (numpy.asarray(image).astype(numpy.int64) >> 8).clip(0, 255).astype(numpy.uint8)
        upper = numpy.repeat(upper[:, :, None], 3, axis=2)
        if difference(ours["pixels"], upper) == 0:
            return "upper", upper, 0
    if ref.orientation and ref.orientation != 1:
        return "turned", theirs, 0
    return "within", theirs, apart


def write_table(server, folder, path):
    with open(path, "w", encoding="utf-8") as table:
        for line in (
                f"What Pillow {PIL.__version__} makes of pictures: made by tests/tools/compare_pictures.py --table.",
                "Columns: file; our status; and where Pillow has pixels: how to compare, width, height, SHA-256 of the",
                "RGB (first 16 digits), greatest difference, means of 4x4 cells (R, G, B of each) where there is any.",
                "same: bit for bit. upper: 16 bits of grey, of which Pillow's convert cuts off what is over 255: the",
                "upper 8. turned: Pillow turns TIFFs by their orientation. within: no sample differs by more.",
                "HEIF and AVIF that say how they are to be turned (irot, imir) are turned here, and not by Pillow."):
            print("#", line, file=table)
        for name in files_below([folder]):
            with open(name, "rb") as file:
                data = file.read()
            ours = server.decode(name)
            line = [os.path.relpath(name, folder), ours["status"]]
            expected = expectation(name, data, ours) if ours["status"] == "ok" else None
            if expected:
                how, pixels, apart = expected
                line += [how, str(pixels.shape[1]), str(pixels.shape[0]),
                         hashlib.sha256(pixels.tobytes()).hexdigest()[:16]]
                if how == "within":
                    line += [str(apart), grid(pixels)]
            print("\t".join(line), file=table)


class Comparer:
    """One server, and the files that mutations are made of."""

    def __init__(self, command, seed):
        self.server = Server(command)
        self.seed = seed
        self.folder = tempfile.TemporaryDirectory()

    def file(self, path):
        """The row of a file, and whether mutations may be made of it."""
        with open(path, "rb") as file:
            data = file.read()
        ours = self.server.decode(path)
        small = len(data) <= 100_000 and ours["width"] * ours["height"] <= 1_000_000
        return row(path, ours, data), ours["format"] in OPENED and small

    def mutation(self, number, paths):
        """The row of a mutation; the same number gives the same one."""
        rng = random.Random(f"{self.seed} {number}")
        path = rng.choice(paths)
        with open(path, "rb") as file:
            kind, data = mutate(file.read(), rng)
        changed = os.path.join(self.folder.name, "picture")
        with open(changed, "wb") as file:
            file.write(data)
        return row(f"{number} {kind} {path}", self.server.decode(changed), data)


def row(name, ours, data):
    ref = Reference(data, ours["format"] == "" and ours["status"] != "bad_header")
    verdict = "ok" if ref.pixels is not None else "refused"
    return name, ours["format"] or "-", ours["status"], verdict, reason(ours, ref), ours["error"], ref.said, str(ref.mode)


comparer = None  # Of this process.


def begin(command, seed):
    global comparer
    comparer = Comparer(command, seed)


def compare_file(path):
    return comparer.file(path)


def compare_mutation(task):
    return comparer.mutation(*task)


def report(rows):
    counts = collections.Counter(fields[1:5] for fields in rows)
    print("| format | ours | Pillow | files | why |\n|---|---|---|---:|---|")
    for key, count in sorted(counts.items()):
        print("|", " | ".join((*key[:3], str(count), key[3])), "|")
    bad = [fields[0] for fields in rows
           if fields[4] == "unexplained" or fields[2] in ("crashed", "timed_out", "out_of_memory")]
    print(f"\n{len(rows)} files, {len(rows)} answers, {len(bad)} without a reason or an ordinary end")
    for name in bad[:20]:
        print("  " + name)
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--mutations", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--rows")
    parser.add_argument("--table")
    arguments = parser.parse_args()
    command = [arguments.server, arguments.program]
    if arguments.table:
        write_table(Server(command), arguments.folders[0], arguments.table)
        return 0
    with multiprocessing.Pool(arguments.jobs, begin, (command, arguments.seed)) as pool:
        paths = list(files_below(arguments.folders))
        files = pool.map(compare_file, paths, chunksize=4)
        rows = [fields for fields, _ in files]
        small = [path for path, (_, usable) in zip(paths, files) if usable]
        rows += pool.map(compare_mutation, [(number, small) for number in range(arguments.mutations)], chunksize=16)
    if arguments.rows:
        with open(arguments.rows, "w", encoding="utf-8", errors="replace") as out:
            for fields in rows:
                print(*(field.replace("\n", " ") for field in fields), sep="\t", file=out)
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
