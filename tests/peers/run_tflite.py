"""Runs a .tflite file in a peer, sample after sample, raw bytes in and out.

    run_tflite.py tflm|litert|litert-ref MODEL OUTPUT INPUT [INPUT ...]

INPUT i holds the samples of the model's input i in its own type, one behind the other; OUTPUT receives the samples of
output 0, OUTPUT.1 those of output 1, and so on. tflm: TFLite Micro's reference kernels; litert: LiteRT with its
optimized kernels; litert-ref: LiteRT with its reference kernels.

SPDX-License-Identifier: Apache-2.0
"""

import os
import sys

import numpy


class Tflm:
    def __init__(self, model):
        from tflite_micro.python.tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_bytes(model, arena_size=8 << 20)

    def details(self, get):
        """All of them: there is no count to ask for, and asking one too many prints a complaint."""
        found, errors = [], os.dup(2)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            return self.collect(get, found)
        finally:
            os.dup2(errors, 2)
            os.close(errors)

    @staticmethod
    def collect(get, found):
        while True:
            try:
                d = get(len(found))
            except (IndexError, ValueError, RuntimeError):
                return found
            if d is None:
                return found
            found.append((numpy.dtype(d["dtype"]), tuple(int(n) for n in d["shape"])))

    def inputs(self):
        return self.details(self.interpreter.get_input_details)

    def run(self, inputs, outputs):
        for i, x in enumerate(inputs):
            self.interpreter.set_input(x, i)
        self.interpreter.invoke()
        return [self.interpreter.get_output(i) for i in range(outputs)]

    def outputs(self):
        return self.details(self.interpreter.get_output_details)


class LiteRt:
    def __init__(self, model, reference):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        self.interpreter = Interpreter(model_content=model, experimental_op_resolver_type=kind)
        self.interpreter.allocate_tensors()

    def inputs(self):
        return [(numpy.dtype(d["dtype"]), tuple(d["shape"])) for d in self.interpreter.get_input_details()]

    def outputs(self):
        return [(numpy.dtype(d["dtype"]), tuple(d["shape"])) for d in self.interpreter.get_output_details()]

    def run(self, inputs, outputs):
        for d, x in zip(self.interpreter.get_input_details(), inputs):
            self.interpreter.set_tensor(d["index"], x)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()]


def main():
    if len(sys.argv) < 5 or sys.argv[1] not in ("tflm", "litert", "litert-ref"):
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as f:
        model = f.read()
    peer = Tflm(model) if sys.argv[1] == "tflm" else LiteRt(model, sys.argv[1] == "litert-ref")
    arrays = []
    for (dtype, shape), path in zip(peer.inputs(), sys.argv[4:]):
        arrays.append(numpy.fromfile(path, dtype).reshape((-1,) + shape))
    n_out = len(peer.outputs())
    files = [open(sys.argv[3] + (".%d" % i if i else ""), "wb") for i in range(n_out)]
    for k in range(len(arrays[0])):
        for f, y in zip(files, peer.run([a[k] for a in arrays], n_out)):
            f.write(numpy.ascontiguousarray(y).tobytes())
    for f in files:
        f.close()


if __name__ == "__main__":
    main()
