#!/usr/bin/env python3
"""Trains one epoch of a net of models/ on Fashion-MNIST in PyTorch; prints processor seconds of the epoch as JSON.

    peer.py lenet-300-100|lenet-5|ds-cnn-28 default|channels_last [steps] [threads]

Same shapes, batch 64, SGD with momentum 0.9; the images are float tensors in memory before the clock starts, and ten
steps of warming up are not counted. SPDX-License-Identifier: Apache-2.0
"""
import gzip
import json
import os
import resource
import sys

NAME, LAYOUT = sys.argv[1:3]
STEPS = int(sys.argv[3]) if len(sys.argv) > 3 else 0
THREADS = sys.argv[4] if len(sys.argv) > 4 else "1"
os.environ["OMP_NUM_THREADS"] = THREADS
os.environ["OPENBLAS_NUM_THREADS"] = THREADS
os.environ["OMP_WAIT_POLICY"] = "passive"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

BATCH, WARM_UP = 64, 10


def same(size, kernel, stride):
    """TensorFlow's SAME padding of a square image: (before, after)."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(),
                         nn.Linear(100, 10))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def ds_cnn():
    layers = []
    size = 28

    def conv(inputs, outputs, kernel, stride, groups=1):
        nonlocal size
        before, after = same(size, kernel, stride)
        if before != after:
            layers.append(nn.ZeroPad2d((before, after, before, after)))
            before = 0
        layers.append(nn.Conv2d(inputs, outputs, kernel, stride, before, groups=groups, bias=False))
        layers.extend([nn.BatchNorm2d(outputs), nn.ReLU()])
        size = -(-size // stride)

    conv(1, 64, 3, 2)
    for stride in (1, 2, 1, 1):
        conv(64, 64, 3, stride, groups=64)
        conv(64, 64, 1, 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def load(what):
    folder = next(d for d in (os.environ.get("THIMBLE_DATA", ""), "data", "/usr/share/datasets")
                  if os.path.isdir(os.path.join(d, "fashion-mnist")))
    with gzip.open(os.path.join(folder, "fashion-mnist", f"train-{what}-ubyte.gz")) as file:
        data = file.read()
    return np.frombuffer(data, np.uint8, offset=16 if "images" in what else 8)


def train(net, x, y, order, optimizer, loss_of):
    total = 0.0
    for i in range(0, len(order) - BATCH + 1, BATCH):
        pick = order[i:i + BATCH]
        inputs = x[pick]
        if LAYOUT == "channels_last":
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(inputs), y[pick])
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / (len(order) // BATCH)


def main():
    torch.set_num_threads(int(THREADS))
    torch.manual_seed(1)
    x = torch.from_numpy(load("images-idx3").astype(np.float32).reshape(-1, 1, 28, 28) / 255)
    y = torch.from_numpy(load("labels-idx1").astype(np.int64))
    net = {"lenet-300-100": mlp, "lenet-5": lenet, "ds-cnn-28": ds_cnn}[NAME]()
    if LAYOUT == "channels_last":
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    steps = STEPS or len(y) // BATCH
    train(net, x, y, torch.randperm(len(y))[:WARM_UP * BATCH], optimizer, loss_of)
    order = torch.randperm(len(y))[:steps * BATCH]
    before = resource.getrusage(resource.RUSAGE_SELF)
    loss = train(net, x, y, order, optimizer, loss_of)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu_seconds": round(seconds, 4), "steps": steps, "train_loss": round(loss, 4),
                      "torch": torch.__version__}))


main()
