#!/usr/bin/env python3
"""The job in TensorFlow's Model Optimization Toolkit (TFMOT): a float network, and its chain of compression. See run.py.

    peer.py float NET DATA OUT.h5 EPOCHS SEED
    peer.py chain FLOAT.h5 DATA OUT.tflite SPARSITY CLUSTERS PRUNE_EPOCHS CLUSTER_EPOCHS QAT_EPOCHS SEED

DATA is a folder with four gzipped IDX files. The chain is the one of TFMOT's guide to collaborative optimization ("PCQAT"):
prune with a polynomial schedule, cluster with linear centroids where zeros stay zero, train for int8 where zeros and clusters
stay, convert. Prints one JSON object; bytes are those of the .tflite in a zip, as TFMOT's tutorials measure.
SPDX-License-Identifier: Apache-2.0
"""
import gzip
import json
import os
import sys
import zipfile

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT does not work with Keras 3
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

BATCH, VALIDATION = 64, 0.1
LR = {"float": 1e-3, "prune": 1e-3, "cluster": 1e-4, "qat": 1e-4}  # the cluster and qat rates were chosen on the validation split


def idx(folder, name):
    with gzip.open(os.path.join(folder, name + ".gz")) as f:
        data = f.read()
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def images(folder, part):
    return idx(folder, part + "-images-idx3-ubyte")[..., None].astype(np.float32) / 255, idx(folder, part + "-labels-idx1-ubyte")


def lenet_300_100():
    return [keras.layers.Flatten(), keras.layers.Dense(300, "relu"), keras.layers.Dense(100, "relu"), keras.layers.Dense(10, "softmax")]


def lenet_5():
    return [keras.layers.Conv2D(20, 5), keras.layers.MaxPooling2D(), keras.layers.Conv2D(50, 5), keras.layers.MaxPooling2D(),
            keras.layers.Flatten(), keras.layers.Dense(500, "relu"), keras.layers.Dense(10, "softmax")]


NETS = {"lenet-300-100": lenet_300_100, "lenet-5": lenet_5}


def fit(model, stage, data, epochs, callbacks=()):
    model.compile(keras.optimizers.Adam(LR[stage]), "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(*data, batch_size=BATCH, epochs=epochs, validation_split=VALIDATION, verbose=0, callbacks=list(callbacks))
    print(f"{stage}: validation {history.history['val_accuracy']}", file=sys.stderr)


def train_float(net, folder, path, epochs):
    model = keras.Sequential([keras.layers.InputLayer((28, 28, 1)), *NETS[net]()])
    fit(model, "float", images(folder, "train"), epochs)
    model.save(path, save_format="h5", include_optimizer=False)
    return {"accuracy": float(model.evaluate(*images(folder, "t10k"), verbose=0)[1])}


def prune(model, data, sparsity, epochs):
    from tensorflow_model_optimization.sparsity import keras as sparsity_keras
    steps = -(-int(len(data[1]) * (1 - VALIDATION)) // BATCH) * epochs
    schedule = sparsity_keras.PolynomialDecay(0.0, sparsity, 0, steps * 3 // 4)
    pruned = sparsity_keras.prune_low_magnitude(model, pruning_schedule=schedule)
    fit(pruned, "prune", data, epochs, [sparsity_keras.UpdatePruningStep()])
    return sparsity_keras.strip_pruning(pruned)


def cluster(model, data, clusters, epochs):
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_config
    from tensorflow_model_optimization.python.core.clustering.keras.cluster import strip_clustering
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as preserving
    clustered = preserving.cluster_weights(model, number_of_clusters=clusters, preserve_sparsity=True,
                                           cluster_centroids_init=cluster_config.CentroidInitialization.LINEAR)
    fit(clustered, "cluster", data, epochs)
    return strip_clustering(clustered)


def quantize(model, data, epochs):
    from tensorflow_model_optimization.quantization import keras as quantization
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        default_8bit_cluster_preserve_quantize_scheme as preserve)
    scheme = preserve.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
    annotated = quantization.quantize_annotate_model(model)
    aware = quantization.quantize_apply(annotated, scheme)
    fit(aware, "qat", data, epochs)
    converter = tf.lite.TFLiteConverter.from_keras_model(aware)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def accuracy(tflite, data):
    interpreter = tf.lite.Interpreter(model_content=tflite)
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(first["index"], (100, 28, 28, 1))
    interpreter.allocate_tensors()
    right = 0
    for i in range(0, len(data[1]), 100):
        interpreter.set_tensor(first["index"], data[0][i:i + 100])
        interpreter.invoke()
        right += int((interpreter.get_tensor(last["index"]).argmax(1) == data[1][i:i + 100]).sum())
    return right / len(data[1])


def chain(source, folder, path, sparsity, clusters, epochs):
    data = images(folder, "train")
    model = keras.models.load_model(source, compile=False)
    tflite = quantize(cluster(prune(model, data, sparsity, epochs[0]), data, clusters, epochs[1]), data, epochs[2])
    with open(path, "wb") as f:
        f.write(tflite)
    with zipfile.ZipFile(path + ".zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.write(path, os.path.basename(path))
    return {"bytes": os.path.getsize(path + ".zip"), "tflite_bytes": len(tflite), "accuracy": accuracy(tflite, images(folder, "t10k"))}


def main():
    mode, source, folder, path = sys.argv[1:5]
    keras.utils.set_random_seed(int(sys.argv[-1]))
    if mode == "float":
        result = train_float(source, folder, path, int(sys.argv[5]))
    else:
        result = chain(source, folder, path, float(sys.argv[5]), int(sys.argv[6]), [int(a) for a in sys.argv[7:10]])
    print(json.dumps(result))


main()
