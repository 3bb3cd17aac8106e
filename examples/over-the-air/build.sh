#!/usr/bin/env bash
# Two revisions of a program are signed and sent; then a forged one, a damaged one and the old one again, which the device
# refuses.    build.sh [OUTPUT-FOLDER]                                                  SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
out=$(realpath -m "${1:-$root/build/examples/over-the-air}")
thimble=${THIMBLE:-$root/build/thimble}
pictures=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
mkdir -p "$out"
cd "$out"

read -ra nettle <<<"$(pkg-config --cflags --libs hogweed nettle)"
cc -O2 -Wall -Wextra "$here/sign.c" -o sign "${nettle[@]}"
cc -O2 -Wall -Wextra -I"$root/rt/include" "$here/device.c" "$root"/rt/core/*.c "$root"/rt/decode/*.c \
  "$root"/rt/kernel/ref/*.c -o device "${nettle[@]}"

# Two revisions: calibrated in two ways.
for method in minmax mse; do
  "$thimble" quantize "$root/models/ds-cnn-28.thim" --data "$pictures,limit=1000" --calibration $method -q -o $method-int8.thim >/dev/null
  "$thimble" compile $method-int8.thim --as thim --name $method -q -o . >/dev/null
done
./sign new key
./sign new stranger
./sign add key 1 minmax.thim first.signed
./sign add key 2 mse.thim second.signed
./sign add stranger 3 mse.thim forged.signed
python3 - <<'PYTHON'
data = bytearray(open("second.signed", "rb").read())
data[1000] ^= 1
open("damaged.signed", "wb").write(data)
PYTHON
head -c 784 /dev/zero | tr '\0' '\200' >input.bin # a black picture
./device key.pub input.bin mse.thim first.signed second.signed forged.signed damaged.signed first.signed | tee report.txt
