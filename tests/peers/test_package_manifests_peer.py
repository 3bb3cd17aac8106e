#!/usr/bin/env python3
"""The manifests of packages, read by the tools that will read them: library.json and library.properties by PlatformIO,
idf_component.yml by the IDF component manager, Kconfig by kconfiglib; zephyr/module.yml has the keys that Zephyr's
scripts/zephyr_module.py allows, and the files it names are there. These tools go into an environment of their own beside
that of venv.sh; without it the test skips. SPDX-License-Identifier: Apache-2.0"""
import os
import subprocess
import sys

import peer

TOOLS = ("platformio", "kconfiglib", "idf-component-manager")
MODEL = os.path.join(peer.SOURCE, "tests/corpus/fuzz_tflite/006d896bffd22001dbe67ce1e1891c5e6370dbd1")
MODULE_KEYS = {"name": str, "build": dict, "tests": list, "samples": list, "boards": list, "blobs": list}
BUILD_KEYS = {"cmake", "kconfig", "cmake-ext", "kconfig-ext", "sysbuild-cmake", "sysbuild-kconfig", "sysbuild-cmake-ext",
              "sysbuild-kconfig-ext", "depends", "settings"}


def environment(build):
    """The python that has the tools; makes it once."""
    if os.environ.get("THIMBLE_PEERS") == "off":
        peer.skip("THIMBLE_PEERS=off")
    folder = os.path.join(build, "manifest-tools")
    python, done = os.path.join(folder, "bin/python"), os.path.join(folder, "done")
    if not os.path.exists(done):
        commands = ([sys.executable, "-m", "venv", folder],
                    [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
                     "--timeout", "30", "--only-binary", ":all:", *TOOLS])
        for command in commands:
            if subprocess.run(command, capture_output=True).returncode:
                peer.skip(f"cannot install {', '.join(TOOLS)}")
        open(done, "w").close()
    return python


def package(build, folder, form):
    path = os.path.join(folder, form)
    peer.thimble_must(build, "compile", MODEL, "--as", form, "--name", "net", "--target", "host", "-o", path)
    return path


def check_platformio(folder, arduino):
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    # The list of licences would be fetched.
    ManifestSchema.load_spdx_licenses = staticmethod(lambda: {"licenses": [{"licenseId": "Apache-2.0"}]})
    for path in (os.path.join(folder, "library.json"), os.path.join(arduino, "library.properties")):
        found = ManifestSchema().load_manifest(ManifestParserFactory.new_from_file(path).as_dict())
        peer.need(found["name"] == "net" and found["version"] == "1.0.0", f"{path}: {found}")
        for example in found.get("examples", []):
            for name in example["files"]:
                file = os.path.join(os.path.dirname(path), example["base"], name)
                peer.need(os.path.exists(file), f"{path}: no {file}")


def check_esp_idf(folder):
    from idf_component_tools.manager import ManifestManager

    component = ManifestManager(folder, "net").load()
    peer.need(str(component.version) == "1.0.0" and "idf" in component.dependencies, f"{component}")
    main = os.path.join(folder, "examples/net/main")
    override = ManifestManager(main, "main").load().dependencies["net"].override_path
    peer.need(os.path.samefile(os.path.join(main, override), folder), f"override_path {override} leads elsewhere")


def check_zephyr(folder):
    import kconfiglib
    from ruamel.yaml import YAML

    symbol = kconfiglib.Kconfig(os.path.join(folder, "Kconfig"), warn_to_stderr=False).syms["NET_MODEL"]
    peer.need(symbol.orig_type == kconfiglib.BOOL and symbol.nodes[0].prompt, "CONFIG_NET_MODEL is no option")
    with open(os.path.join(folder, "samples/net/prj.conf"), encoding="utf-8") as f:
        peer.need(f.read().split() == ["CONFIG_NET_MODEL=y"], "prj.conf does not switch the model on")
    with open(os.path.join(folder, "zephyr/module.yml"), encoding="utf-8") as f:
        module = YAML(typ="safe").load(f)
    for key, value in module.items():
        peer.need(key in MODULE_KEYS and isinstance(value, MODULE_KEYS[key]), f"module.yml: {key}")
    peer.need(set(module["build"]) <= BUILD_KEYS, f"module.yml: {module['build']}")
    peer.need(os.path.exists(os.path.join(folder, module["build"]["cmake"], "CMakeLists.txt")), "module.yml: cmake")
    peer.need(os.path.exists(os.path.join(folder, module["build"]["kconfig"])), "module.yml: kconfig")
    peer.need(all(os.path.isdir(os.path.join(folder, s)) for s in module["samples"]), "module.yml: samples")


def main():
    build = os.path.abspath(sys.argv[1])
    if not os.environ.get(peer.INSIDE):
        words = [environment(build), os.path.abspath(sys.argv[0]), build]
        os.execve(words[0], words, dict(os.environ, **{peer.INSIDE: "1"}))
    folder = os.path.join(build, "package_manifests_peer")
    check_platformio(package(build, folder, "platformio"), os.path.join(package(build, folder, "arduino"), "net"))
    check_esp_idf(package(build, folder, "esp-idf"))
    check_zephyr(package(build, folder, "zephyr"))
    print("5 manifests read")


if __name__ == "__main__":
    try:
        main()
    except peer.Failure as e:
        sys.exit(f"FAIL {e}")
