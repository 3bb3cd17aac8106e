"""Data sets of the benchmarks as files that thimble reads, made once in a folder from what the folder of test data holds.
SPDX-License-Identifier: Apache-2.0
"""
import array
import lzma
import math
import os
import tarfile
import wave

ANOMALY_GAINS = (0.003, 0.01, 0.03)
TURNS = 12  # recordings of the same machine that begin at different places
FAULTS = range(1, 10)
CLASSES = ("airplane", "automobile", "bird", "cat")


def cifar(shared, folder):
    """All pictures, a folder per class; the archive has them below one more folder."""
    to = os.path.join(folder, "cifar10-jpeg")
    if not os.path.isdir(to):
        with tarfile.open(os.path.join(shared, "sets", "cifar10-jpeg.tar.xz")) as tar:
            tar.extractall(folder, filter="data")
    return to


def pairs(shared, folder, count=500):
    """Pictures in two classes, for networks with two answers: `count` of each part and class. The classes mean nothing to them."""
    to, pictures = os.path.join(folder, "pictures"), cifar(shared, folder)
    for part in ("train", "test"):
        for name in CLASSES:
            at = os.path.join(to, part, "ab"[CLASSES.index(name) % 2])
            os.makedirs(at, exist_ok=True)
            files = sorted(os.listdir(os.path.join(pictures, part, name)))[:count // 2]
            for file in files:
                link = os.path.join(at, f"{name}-{file}")
                if not os.path.exists(link):
                    os.symlink(os.path.join(pictures, part, name, file), link)
    return to


def write_wav(path, values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    clipped = array.array("h", [max(-32768, min(32767, int(v * 32767))) for v in values])
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(12000)
        out.writeframes(clipped.tobytes())


def machine(shared, folder):
    """Vibration of a bearing as sound: the first half of the good bearing's recording trains; the second is normal, and with a little of a
    faulty bearing's added it is an anomaly. Each is heard twice in a row, to be long enough for the front end."""
    to = os.path.join(folder, "machine")
    if os.path.isdir(to):
        return to
    values, recordings = array.array("f"), {}
    with lzma.open(os.path.join(shared, "sets", "cwru_bearing_de12k_f32_Nx1024.bin.xz")) as f:
        values.frombytes(f.read())
    with open(os.path.join(shared, "sets", "cwru_bearing_labels_u8.bin"), "rb") as f:
        for i, label in enumerate(f.read()):
            recordings.setdefault(label, []).extend(values[1024 * i:1024 * (i + 1)])
    half = len(recordings[0]) // 2
    first, second = recordings[0][:half] * 2, recordings[0][half:] * 2
    turned = [second[len(second) * k // TURNS:] + second[:len(second) * k // TURNS] for k in range(TURNS)]
    write_wav(os.path.join(to, "train", "normal", "0.wav"), first)
    for k, recording in enumerate(turned):
        write_wav(os.path.join(to, "test", "normal", f"{k}.wav"), recording)
    for fault in FAULTS:
        for gain in ANOMALY_GAINS:
            mixed = [a + gain * b for a, b in zip(turned[fault], recordings[fault][half:] * 2)]
            write_wav(os.path.join(to, "test", "anomaly", f"{fault}-{gain}.wav"), mixed)
    return to


def sine(_shared, folder):
    """x, sin x over a whole period; tests lie between the training samples."""
    to = os.path.join(folder, "sine.csv")
    for path, offset in ((to, 0.0), (os.path.join(folder, "sine-test.csv"), 0.5)):
        with open(path, "w", encoding="utf-8") as f:
            f.write("x,y\n")
            for i in range(1000):
                x = 2 * math.pi * (i + offset) / 1000
                f.write(f"{x:.6f},{math.sin(x):.6f}\n")
    return f"{to},target=y,test={os.path.join(folder, 'sine-test.csv')}"
