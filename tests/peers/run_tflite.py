"""Runs a .tflite file in a peer, sample after sample, raw bytes in and out.

    run_tflite.py ENGINE MODEL OUTPUT INPUT [INPUT ...]
    run_tflite.py --jobs FILE        many runs in one process: a line of the same words, separated by tabs, for each

INPUT i holds the samples of the model's input i in its own type, one behind the other; OUTPUT receives the samples of
output 0, OUTPUT.1 those of output 1, and so on. ENGINE is

    tflm                           TFLite Micro's reference kernels
    litert                         LiteRT with its optimized kernels
    litert-ref                     LiteRT with its reference kernels
    tflm-logits litert-ref-logits  the same, but the output is what the softmax at the end of the model reads

SPDX-License-Identifier: Apache-2.0
"""

import os
import sys

import numpy


class Tflm:
    def __init__(self, model, keep=False):
        """keep: every tensor can be read after a run."""
        from tflite_micro.python.tflite_micro import runtime

        config = runtime.InterpreterConfig.kPreserveAllTensors
        options = {"intrepreter_config": config} if keep else {}  # their spelling
        self.interpreter = runtime.Interpreter.from_bytes(model, arena_size=8 << 20, **options)

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

    def tensor(self, index):
        return self.interpreter.GetTensor(index, 0)["tensor_data"]

    def run(self, inputs, outputs):
        for i, x in enumerate(inputs):
            self.interpreter.set_input(x, i)
        self.interpreter.invoke()
        return [self.interpreter.get_output(i) for i in range(outputs)]

    def outputs(self):
        return self.details(self.interpreter.get_output_details)


class LiteRt:
    def __init__(self, model, reference, keep=False):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        self.interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=kind, experimental_preserve_all_tensors=keep
        )
        self.interpreter.allocate_tensors()

    def inputs(self):
        return [(numpy.dtype(d["dtype"]), tuple(d["shape"])) for d in self.interpreter.get_input_details()]

    def outputs(self):
        return [(numpy.dtype(d["dtype"]), tuple(d["shape"])) for d in self.interpreter.get_output_details()]

    def tensor(self, index):
        return self.interpreter.get_tensor(index)

    def run(self, inputs, outputs):
        for d, x in zip(self.interpreter.get_input_details(), inputs):
            self.interpreter.set_tensor(d["index"], x)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()]


class Logits:
    """A peer whose only output is what the softmax at the end of the model reads."""

    def __init__(self, peer, model):
        last = LiteRt(model, True).interpreter._get_ops_details()[-1]  # TFLite Micro's module does not tell operators
        if last["op_name"] != "SOFTMAX":
            sys.exit("the last operator is %s, not SOFTMAX" % last["op_name"])
        self.peer, self.index = peer, last["inputs"][0]

    def inputs(self):
        return self.peer.inputs()

    def outputs(self):
        return [None]

    def run(self, inputs, outputs):
        self.peer.run(inputs, 0)
        return [self.peer.tensor(self.index)]


ENGINES = {
    "tflm": Tflm,
    "litert": lambda model: LiteRt(model, False),
    "litert-ref": lambda model: LiteRt(model, True),
    "tflm-logits": lambda model: Logits(Tflm(model, True), model),
    "litert-ref-logits": lambda model: Logits(LiteRt(model, True, True), model),
}


def run(engine, model, output, inputs):
    with open(model, "rb") as f:
        data = f.read()
    peer = ENGINES[engine](data)
    arrays = []
    for (dtype, shape), path in zip(peer.inputs(), inputs):
        arrays.append(numpy.fromfile(path, dtype).reshape((-1,) + shape))
    n_out = len(peer.outputs())
    files = [open(output + (".%d" % i if i else ""), "wb") for i in range(n_out)]
    for k in range(len(arrays[0])):
        for f, y in zip(files, peer.run([a[k] for a in arrays], n_out)):
            f.write(numpy.ascontiguousarray(y).tobytes())
    for f in files:
        f.close()


def main():
    words = sys.argv[1:]
    if len(words) == 2 and words[0] == "--jobs":
        with open(words[1]) as f:
            jobs = [line.rstrip("\n").split("\t") for line in f]
    else:
        jobs = [words]
    for job in jobs:
        if len(job) < 4 or job[0] not in ENGINES:
            sys.exit(__doc__)
        print(*job, file=sys.stderr, flush=True)  # the last line before a crash names the culprit
        run(job[0], job[1], job[2], job[3:])


if __name__ == "__main__":
    main()
