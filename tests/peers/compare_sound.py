#!/usr/bin/env python3
"""Checks sound features against other programs: compare_sound.py FOLDER EXTRA KIND FEATURES

FOLDER holds a folder of wav files per class; FEATURES are the features of all recordings, classes taking turns, as
test_sound_peer.c wrote them. KIND micro: int8, against TensorFlow Lite Micro's front end (PyPI pymicro-features, put into
the folder EXTRA), whose step is 10 ms, byte for byte. KIND mfcc: float32, against numpy's transforms and TensorFlow's
published formulas. Exit code 77: the peer cannot be had. SPDX-License-Identifier: Apache-2.0"""
import importlib
import os
import subprocess
import sys
import wave

import numpy as np

RATE = 16000


def recordings(folder):
    classes = sorted(os.listdir(folder))
    files = [sorted(os.listdir(os.path.join(folder, c))) for c in classes]
    for turn in range(max(len(f) for f in files)):
        for name, members in zip(classes, files):
            if turn < len(members):
                with wave.open(os.path.join(folder, name, members[turn])) as w:
                    assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (RATE, 1, 2)
                    yield np.frombuffer(w.readframes(w.getnframes()), np.int16)[:RATE]


def front_end(extra):
    os.makedirs(extra, exist_ok=True)
    sys.path.insert(0, extra)
    try:
        import pymicro_features
    except ImportError:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", extra, "--only-binary", ":all:",
                   "--retries", "1", "--timeout", "30", "pymicro-features==2.0.2"]
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            print("skipped: pymicro-features cannot be installed", file=sys.stderr)
            sys.exit(77)
        importlib.invalidate_caches()
        import pymicro_features
    return pymicro_features.MicroFrontend


def micro(sound, make):
    padded = np.zeros(RATE, np.int16)
    padded[:len(sound)] = sound
    data, end, frames = padded.tobytes(), make(), []
    for at in range(0, len(data), 320):
        features = end.process_samples(data[at:at + 320]).features
        if features:
            frames.append(np.round(np.array(features) / 0.0390625).astype(int))
    return np.minimum((np.array(frames) * 256 + 333) // 666 - 128, 127)


def mfcc(sound):
    x = np.pad(sound / sound.max(), (0, RATE - len(sound)))
    frames = np.stack([x[at:at + 480] for at in range(0, RATE - 479, 320)])
    spectrum = np.abs(np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)), 512))
    mel = lambda hz: 1127 * np.log(1 + hz / 700)
    edges, bins = np.linspace(mel(20.0), mel(4000.0), 42), mel(np.linspace(0, 8000, 257)[1:])[:, None]
    low, center, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - low) / (center - low), (high - bins) / (high - center)))
    log_mel = np.log(spectrum[:, 1:] @ weights + 1e-6)
    basis = np.cos(np.pi * np.outer(np.arange(10), 2 * np.arange(40) + 1) / 80)
    return 2 * log_mel @ basis.T / np.sqrt(80)


def main():
    folder, extra, kind, path = sys.argv[1:]
    sounds = list(recordings(folder))
    if kind == "micro":
        make = front_end(extra)
        ours = np.fromfile(path, np.int8).reshape(len(sounds), 98, 40)
        different = sum(int((micro(s, make) != o).sum()) for s, o in zip(sounds, ours))
        print(f"micro: {len(sounds)} recordings, {ours.size} values, {different} differ from TFLite Micro's")
        sys.exit(different != 0)
    ours = np.fromfile(path, np.float32).reshape(len(sounds), 49, 10)
    worst = max(float(np.abs(mfcc(s) - o).max()) for s, o in zip(sounds, ours))
    print(f"mfcc: {len(sounds)} recordings, {ours.size} values, largest difference {worst:.2e}")
    sys.exit(worst > 1e-4)


main()
