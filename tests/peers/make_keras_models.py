"""Makes small Keras models of random weights with Keras itself, and what they compute: the fixtures of
tests/read/test_keras_golden.c (tests/read/data/keras). Needs Keras 3 (with any backend) or TensorFlow 2.15, whose Keras
is version 2; run it with both:

    make_keras_models.py FOLDER [NAME ...]
    make_keras_models.py --run FOLDER MODEL.h5 ...     FOLDER/<name>.out: what existing models give for 2 samples of
                                                       value(i) = (2654435761 i mod 2^32) / 2^32, i over all values

For each model NAME: k<major>_NAME.h5 and .keras, .in (samples of input 0, of input 1, ...), .out (likewise), all
float32, little-endian, 2 samples. The .h5 files of the fixtures are packed by gzip -9n. SPDX-License-Identifier: Apache-2.0"""
import os
import sys
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "jax")
import numpy as np

import keras

L = keras.layers
MAJOR = int(keras.__version__.split(".")[0])
SAMPLES = 2
BOTH = ("h5", "keras")


def conv2d():
    x = i = keras.Input((9, 8, 4), name="picture")
    a = L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", activation="relu", name="a")(x)
    b = L.Conv2D(4, 3, dilation_rate=2, use_bias=False, name="b")(x)
    c = L.Conv2D(8, 3, groups=2, padding="same", activation="tanh", name="c")(x)
    d = L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", activation="relu6", name="d")(x)
    e = L.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="sigmoid", name="e")(x)
    f = L.DepthwiseConv2D((3, 2), use_bias=False, name="f")(x)
    return keras.Model(i, [a, b, c, d, e, f], name="convolutions")


def conv1d():
    x = i = keras.Input((12, 3))
    a = L.Conv1D(5, 3, padding="causal", dilation_rate=2, name="a")(x)
    a = L.BatchNormalization(name="an")(a)
    a = L.Activation("relu", name="ar")(a)
    a = L.MaxPooling1D(2, name="ap")(a)
    b = L.SeparableConv1D(4, 4, strides=2, padding="same", name="b")(x)
    b = L.AveragePooling1D(3, strides=2, padding="same", name="bp")(b)
    c = L.DepthwiseConv1D(3, depth_multiplier=2, padding="same", name="c")(x)
    c = L.GlobalMaxPooling1D(name="cg")(c)
    d = L.GlobalAveragePooling1D(name="dg")(L.ZeroPadding1D((1, 2), name="dz")(x))
    e = L.Dense(4, activation="softmax", name="e")(x)
    f = L.TimeDistributed(L.Dense(3), name="f")(L.Dropout(0.3, name="fd")(a))
    g = L.Dense(2, name="g")(L.Flatten(name="gf")(a))
    return keras.Model(i, [a, b, c, d, e, f, g], name="rows")


def pools():
    x = i = keras.Input((7, 9, 3))
    a = L.MaxPooling2D(3, strides=2, padding="same")(x)
    b = L.AveragePooling2D((2, 3), padding="same")(x)
    c = L.GlobalAveragePooling2D(keepdims=True)(x)
    d = L.GlobalMaxPooling2D()(x)
    e = L.ZeroPadding2D(((1, 0), (2, 3)))(x)
    f = L.SpatialDropout2D(0.2)(L.GaussianNoise(0.1)(L.ActivityRegularization(l1=0.1)(e)))
    f = L.AveragePooling2D(2)(f)
    return keras.Model(i, [a, b, c, d, e, f], name="pools")


def activations():
    x = i = keras.Input((3, 5))
    names = ["linear", "relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "sigmoid", "tanh", "exponential",
             "hard_sigmoid", "softmax", "mish"]
    if MAJOR >= 3:
        names += ["relu6", "leaky_relu", "celu", "log_softmax", "hard_silu", "hard_tanh", "log_sigmoid", "tanh_shrink",
                  "soft_shrink", "squareplus", "sparse_sigmoid"]
    out = [L.Activation(n, name=n + "_act")(x) for n in names]
    out += [L.ReLU()(x), L.ReLU(6.0)(x), L.ReLU(max_value=0.7)(x), L.ReLU(max_value=0.5, negative_slope=0.25)(x),
            L.ReLU(max_value=1.5, negative_slope=0.25, threshold=0.3)(x), L.ReLU(threshold=0.3)(x),
            L.LeakyReLU()(x), L.LeakyReLU(0.2)(x), L.ELU(0.7)(x), L.Softmax()(x), L.PReLU()(x),
            L.PReLU(shared_axes=[1])(x), L.Dense(4, activation=L.LeakyReLU(0.15) if MAJOR < 3 else "leaky_relu")(x)]
    return keras.Model(i, out, name="activations")


def merges():
    a = keras.Input((4, 5, 3), name="a")
    b = keras.Input((4, 5, 3), name="b")
    c = keras.Input((3,), name="c")
    ab = [a, b]
    out = [L.Add()([a, b, a]), L.Subtract()(ab), L.Multiply()([a, b, b]), L.Average()([a, b, a]), L.Maximum()(ab),
           L.Minimum()(ab), L.Concatenate()([a, b, a]), L.Concatenate(axis=1)(ab), L.Multiply()([a, c]),
           L.Concatenate()([a, b] * 6)]
    return keras.Model([b, a, c], out, name="merges")


def norms():
    x = i = keras.Input((4, 5, 3))
    mean = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5])
    learned = L.Normalization()
    learned.adapt(np.random.default_rng(5).normal(size=(20, 4, 5, 3)).astype(np.float32))
    out = [L.BatchNormalization(epsilon=0.01, momentum=0.9)(x), L.BatchNormalization(scale=False)(x),
           L.BatchNormalization(center=False)(x), L.LayerNormalization()(x), L.LayerNormalization(scale=False)(x),
           L.Rescaling(1 / 127.5, offset=-1)(x), L.Rescaling([0.1, 0.2, 0.3])(x), mean(x), learned(x),
           L.BatchNormalization()(L.Flatten()(x))]
    return keras.Model(i, out, name="norms")


def shapes():
    x = i = keras.Input((4, 6, 2))
    a = L.Reshape((8, -1))(x)  # 8 x 6
    b = L.Reshape((48,))(x)
    c = L.Dense(3, name="c")(L.Flatten()(L.Reshape((2, 2, 4))(L.Conv1D(2, 3, padding="same")(a))))
    d = L.Reshape((4, 3, 2, 2))(x)
    d = L.Dense(5)(d)
    return keras.Model(i, [a, b, c, d], name="shapes")


def moves():
    x = i = keras.Input((5, 6, 3))
    r = L.Reshape((10, 9))(x)
    out = [L.Permute((3, 1, 2))(x), L.Permute((2, 1))(r), L.Cropping2D(((1, 2), (0, 1)))(x), L.Cropping2D(1)(x),
           L.Cropping1D((1, 2))(r), L.UpSampling2D((2, 3))(x), L.UpSampling2D(2, interpolation="bilinear")(x),
           L.UpSampling1D(3)(r), L.Resizing(8, 4)(x), L.Resizing(7, 9, interpolation="nearest")(x),
           L.CenterCrop(2, 3)(x), L.RepeatVector(4)(L.Flatten()(x)), L.Conv1D(2, 3)(L.Cropping1D(1)(r))]
    return keras.Model(i, out, name="moves")


def transposed():
    x = i = keras.Input((4, 5, 3))
    r = L.Reshape((10, 6))(x)
    out = [L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x), L.Conv2DTranspose(2, 3)(x),
           L.Conv2DTranspose(2, (2, 4), strides=(3, 2))(x), L.Conv2DTranspose(2, 2, strides=3, padding="same")(x),
           L.Conv2DTranspose(2, 4, strides=2, padding="same", use_bias=False)(x), L.Conv1DTranspose(3, 3, strides=2)(r),
           L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(x),
           L.Conv2DTranspose(2, 3, strides=2, output_padding=1)(x), L.Conv1DTranspose(3, 5, padding="same")(r)]
    return keras.Model(i, out, name="transposed")


def sequential():
    return keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(),
                             L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5), L.Dense(10, activation="softmax")],
                            name="small")


def deferred():
    m = keras.Sequential([L.Dense(6, activation="relu"), L.Dense(4), L.Softmax()])
    m.build((None, 5))
    return m


def shared():
    a = keras.Input((6,), name="left")
    b = keras.Input((6,), name="right")
    dense = L.Dense(4, activation="relu", name="tower")
    again = L.Dense(4, name="again")
    y = L.Concatenate()([dense(a), dense(b), again(again(dense(b)))])
    return keras.Model([a, b], [L.Dense(2)(y), dense(a)], name="siamese")


def nested():
    e = keras.Input((6, 6, 2))
    y = L.Conv2D(3, 3, name="conv")(e)
    y = L.BatchNormalization(name="bn")(y)
    encoder = keras.Model(e, [y, L.GlobalAveragePooling2D()(y)], name="encoder")
    head = keras.Sequential([L.Dense(5, activation="relu"), L.Dense(2)], name="head")
    i = keras.Input((6, 6, 2))
    j = keras.Input((6, 6, 2))
    a, pa = encoder(i)
    b, pb = encoder(j)
    s = L.Add()([a, b])
    out = [head(pa), head(L.Subtract()([pa, pb])), L.Conv2D(2, 1, name="conv_out")(s)]
    outer = keras.Model([i, j], out, name="outer")
    k = keras.Input((6, 6, 2))
    return keras.Model(k, outer([k, k]), name="outermost")


def frozen():
    i = keras.Input((5, 5, 2))
    x = L.Conv2D(3, 3, name="conv")(i)
    bn = L.BatchNormalization(name="bn")
    base = keras.Model(i, L.Conv2D(2, 1, name="last")(bn(x)), name="base")
    bn.trainable = False
    j = keras.Input((5, 5, 2))
    return keras.Model(j, L.Dense(2)(L.Flatten()(base(j))), name="frozen")


def operators():
    i = keras.Input((4, 5, 3))
    j = keras.Input((4, 5, 3))
    out = [i + 1.5, i * j, 2.0 - i, i / 3.0, -i, i - j]
    x = L.Conv2D(4, 1)(i)
    out.append(x * (L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)))
    return keras.Model([i, j], out, name="operators")


def recurrent():
    x = i = keras.Input((7, 3))
    a = L.LSTM(4, name="a")(x)
    b = L.LSTM(5, return_sequences=True, go_backwards=True, use_bias=False, name="b")(x)
    c = L.LSTM(3, activation="relu", unit_forget_bias=False, name="c")(b)
    d = L.TimeDistributed(L.Dense(2), name="d")(b)
    shared = L.LSTM(4, return_sequences=True, dropout=0.2, name="e")
    e = shared(L.Conv1D(4, 3, name="ec")(shared(L.Conv1D(4, 1, name="ei")(x))))
    inner = keras.Input((7, 3))
    encoder = keras.Model(inner, L.LSTM(6, name="deep")(inner), name="encoder")
    return keras.Model(i, [a, b, c, d, e, encoder(x)], name="recurrent")


MODELS = {f.__name__: f for f in (conv2d, conv1d, pools, activations, merges, norms, shapes, moves, transposed, sequential, deferred,
                                  shared, nested, frozen, operators,
                                  recurrent)}


def randomize(model, rng):
    kept = {id(w) for layer in model.layers if isinstance(layer, L.Normalization) for w in layer.weights}
    values = []
    for w in model.weights:
        name = getattr(w, "path", w.name)
        now = np.asarray(w)
        v = rng.normal(scale=0.5, size=now.shape)
        if id(w) in kept or "seed" in name:
            v = now
        elif "variance" in name:
            v = np.abs(v) + 0.3
        values.append(v.astype(now.dtype))
    model.set_weights(values)


def pack(path):
    """The same archive, deflated."""
    with zipfile.ZipFile(path) as z:
        entries = [(n, z.read(n)) for n in z.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for n, data in entries:
            z.writestr(zipfile.ZipInfo(n, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


def make(name, folder):
    rng = np.random.default_rng(7)
    keras.utils.set_random_seed(7)
    keras.backend.clear_session()
    model = MODELS[name]()
    randomize(model, rng)
    x = [rng.normal(size=(SAMPLES,) + tuple(t.shape[1:])).astype(np.float32) for t in model.inputs]
    y = model(x if len(x) > 1 else x[0], training=False)
    y = [np.array(t, dtype=np.float32) for t in (y if isinstance(y, (list, tuple)) else [y])]
    stem = os.path.join(folder, f"k{MAJOR}_{name}")
    for ext in BOTH:
        model.save(f"{stem}.{ext}")
    pack(f"{stem}.keras")
    np.concatenate([a.ravel() for a in x]).tofile(stem + ".in")
    np.concatenate([a.ravel() for a in y]).tofile(stem + ".out")


def run(folder, path):
    model = keras.models.load_model(path, compile=False)
    shape = (SAMPLES,) + tuple(model.inputs[0].shape[1:])
    i = np.arange(np.prod(shape), dtype=np.uint64)
    x = ((i * 2654435761 % 2**32) / 2**32).astype(np.float32).reshape(shape)
    y = np.array(model(x, training=False), dtype=np.float32)
    y.tofile(os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".out"))


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        os.makedirs(sys.argv[2], exist_ok=True)
        for file in sys.argv[3:]:
            run(sys.argv[2], file)
        sys.exit()
    os.makedirs(sys.argv[1], exist_ok=True)
    for wanted in sys.argv[2:] or MODELS:
        make(wanted, sys.argv[1])
        print(wanted)
