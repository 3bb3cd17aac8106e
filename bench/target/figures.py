"""What the numbers of bench/target are held against: what TensorFlow Lite Micro costs, and what Thimble promises.

The peer: TFLite Micro 90b983c2 with the CMSIS-NN it pins, arm-none-eabi-gcc 12.2, release defines, only the needed operators,
executed instructions of one Invoke() under QEMU (M0+: its reference kernels); flash of the whole program at -Os, code alone, arena
and stack. A promise is (largest value, aim); the build that has to keep it stands beside it.
SPDX-License-Identifier: Apache-2.0
"""
NAMES = ("AD", "IC", "KWS", "VWW")
FILES = {"AD": "ad01_int8", "IC": "pretrainedResnet_quant", "KWS": "kws_ref_model", "VWW": "vww_96_int8"}


def of_models(*values):
    return dict(zip(NAMES, values))


PEER = {
    "cortex-m4": {"instructions": of_models(582200, 29872200, 7697720, 24101440),
                  "flash_bytes": of_models(300748, 142008, 100284, 379636),
                  "code_bytes": of_models(23772, 43512, 46348, 46348),
                  "arena_bytes": of_models(2580, 54996, 22820, 100708),
                  "stack_bytes": of_models(676, 916, 916, 916)},
    "cortex-m7": {"instructions": of_models(582520, 29934560, 7761080, 24483360)},
    "cortex-m55": {"instructions": of_models(285406, 4809781, 1785781, 6433500),
                   "arena_bytes": of_models(5172, 54996, 27300, 100756)},
    "cortex-m0plus": {"instructions": of_models(3377720, 211019160, 73888760, 183267760)},
}

# target, figure -> (build, most, aim)
PROMISES = {
    ("cortex-m4", "instructions"): ("speed", of_models(400e3, 18.0e6, 4.5e6, 7.5e6), of_models(330e3, 15.0e6, 3.8e6, 6.0e6)),
    ("cortex-m55", "instructions"): ("speed", of_models(140e3, 3.6e6, 1.2e6, 2.4e6), of_models(80e3, 2.8e6, 0.9e6, 1.8e6)),
    ("cortex-m0plus", "instructions"): ("speed", of_models(1.7e6, 100e6, 26e6, 45e6), {}),
    ("cortex-m4", "flash_bytes"): ("size", of_models(190000, 92000, 38000, 48000), of_models(182000, 84000, 34000, 42000)),
    ("cortex-m4", "arena_bytes"): ("ram", of_models(1300, 40000, 11000, 46000), of_models(1000, 25000, 9500, 32000)),
    ("cortex-m4", "code_bytes"): ("size", {"KWS": 10240}, {}),
    ("cortex-m4", "stack_bytes"): ("ram", of_models(512, 512, 512, 512), {}),
}
SIZE_MAY_COST = 1.20  # instructions of the size build / of the speed build, on cortex-m4; AD has one MAC a weight
DIGITS = {"accuracy": 0.99, "published": 0.9877, "flash_bytes": 32768, "ram_bytes": 2048}  # MNIST on an ATmega328P
SIZE_MODELS = ("IC", "KWS", "VWW")
