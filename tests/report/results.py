"""Small results whose reports the tests look at: folders of `thimble shrink` on the pictures of tests/cli/make_idx.py.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import shutil
import subprocess

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECIPE = """seed: 3
stages:
  - train: {epochs: 3}
  - prune: {sparsity: 0.7, epochs: 1}
  - cluster: {clusters: 6, epochs: 1}
  - quantize:
  - compile:
"""
HOSTILE = "</script><img src=x onerror=\"thimbleEscaped=1\"><!-- <b>&amp;' `${1}` \u2028"


def run(build, folder, *words, code=0):
    """Runs the tool in the folder; returns stdout. AssertionError when it does not exit with `code`."""
    thimble = os.path.join(os.path.abspath(build), "thimble")
    done = subprocess.run([thimble, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == code, f"thimble {' '.join(words)}: exit code {done.returncode}: {done.stderr}"
    return done.stdout if code == 0 else done.stderr


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as f:
        f.write(text)


def search(layers):
    """A fit.json as `fit` writes it, of a search that ended."""
    trials = [{"id": i + 1, "what": f"element sparsity {0.5 + 0.1 * i:.1f}", "epochs": 2, "state": "done",
               "recipe": f"stages:\n  - prune: {{sparsity: {0.5 + 0.1 * i:.1f}}}\n  - quantize:\n", "bytes": 1300 - 150 * i,
               "flash_bytes": 9000 - 160 * i, "ram_bytes": 900 - 30 * (i % 2), "instructions": 90000 - 5000 * i, "optimize": "size",
               "coder": "auto", "accuracy": 0.99 - 0.01 * i * i, "drop": i * i, "seconds": 1.5} for i in range(5)]
    trials.append(dict(trials[1], id=6, accuracy=0.9, drop=9))
    trials.append({"id": 7, "what": "clusters 8", "epochs": 2, "recipe": "stages:\n  - quantize:\n", "state": "not run"})
    probes = [(None, "0.5", 3.0)] + [(name, s, d) for k, name in enumerate(layers) for s, d in (("0.5", 0.1 * k), ("0.9", 1 + k))]
    return {"limits": {"flash_bytes": 8700, "ram_bytes": 1024, "max_drop": 1.0, "min_accuracy": None}, "target": "cortex-m4",
            "device": None, "seed": 3, "metric": "accuracy", "measured_on": "validation", "original": 0.99,
            "sensitivity": [{"layer": name, "technique": "elements", "setting": s, "accuracy": 0.99 - d / 100, "drop": d}
                            for name, s, d in probes], "trials": trials, "front": [1, 2, 3, 4, 5], "chosen": 3, "test": 0.95}


def make(build, folder):
    """Makes all of them in `folder`: full (every stage), lossless (without data), fit, hostile."""
    subprocess.run([os.path.join(SOURCE, "tests/cli/make_idx.py"), "quads"], cwd=folder, check=True, capture_output=True)
    write(RECIPE, folder, "recipe.yaml")
    run(build, folder, "shrink", os.path.join(SOURCE, "tests/cli/tiny.txt"), "--data", "quads", "-r", "recipe.yaml", "-o", "full")
    run(build, folder, "shrink", "full/stages/04-quantize.thim", "--lossless", "-o", "lossless")
    shutil.copytree(os.path.join(folder, "full"), os.path.join(folder, "fit"))
    run(build, folder, "report", "full", "--data", "quads")
    write(json.dumps(search(["conv1", "dw2", "pw3", "fc4", "fc5"])), folder, "fit", "fit.json")
    run(build, folder, "report", "fit", "--data", "quads")
    shutil.copytree(os.path.join(folder, "fit"), os.path.join(folder, "hostile"))
    make_hostile(build, folder)


def spoil(value):
    """The value with something hostile in each of its texts."""
    if isinstance(value, dict):
        return {k: v if k in ("graph", "report", "state", "metric") else spoil(v) for k, v in value.items()}
    if isinstance(value, list):
        return [spoil(v) for v in value]
    return value + HOSTILE if isinstance(value, str) else value


def make_hostile(build, folder):
    """What stands in the folder's files is anybody's: each text in them tries to become markup."""
    for name in ("fit.json", "report.json"):
        value = spoil(json.loads(read(folder, "hostile", name)))
        value.setdefault("outputs", {})["recipe.yaml"] = "recipe.yaml"
        write(json.dumps(value, ensure_ascii=False), folder, "hostile", name)
    run(build, folder, "report", "hostile", "--data", "quads")  # measured for this report.json
    measured = spoil(json.loads(read(folder, "hostile", "stages", "measured.json")))
    write(json.dumps(measured, ensure_ascii=False), folder, "hostile", "stages", "measured.json")
    run(build, folder, "report", "hostile")
