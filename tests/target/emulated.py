"""C programs of this project on emulated targets: built for a row of src/write/targets.def with the start-up, memory map and
board that written firmware gets (src/write/templates), and run. What they report is the host's file report.txt.
SPDX-License-Identifier: Apache-2.0"""
import glob
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ["dsp", "mve", "small", "avr"]  # of rt/kernel, what the `kernels` column of a target names
# The assembler takes VCVT in an IT block for the MVE instruction VCVTN; the tests have some, in their models.
TEST_FLAGS = ["-fno-if-conversion", "-fno-if-conversion2"]
SECONDS = 500


def target_rows():
    """The rows of targets.def that have files of the host, with their families. Strings stand side by side in C as in
    Python, once the preprocessor is through."""
    text = ("#define TH_FAMILY(...) family(__VA_ARGS__)\n#define TH_TARGET(...) target(__VA_ARGS__)\n"
            '#include "src/write/targets.def"\n')
    out = subprocess.run(["cc", "-E", "-P", "-I", ROOT, "-"], input=text, capture_output=True, text=True, check=True)
    families, targets = {}, []
    keys = ("name", "about", "family", "flags", "kernels", "machine", "hertz", "flash", "ram")
    exec(" ".join(out.stdout.split()).replace(") target(", ")\ntarget(").replace(") family(", ")\nfamily("),
         {"family": lambda *a: families.update({a[0]: a}), "target": lambda *a: targets.append(dict(zip(keys, a)))})
    return [(t, families[t["family"]]) for t in targets if t["machine"] and "semihost" in families[t["family"]][3]]


def missing_tool(family):
    return next((tool for tool in (family[1], family[4]) if not shutil.which(tool)), None)


def put_templates(target, family, folder):
    """Start-up code, linker script and board header, as firmware gets them."""
    for part in family[3].split():
        for path in glob.glob(f"{ROOT}/src/write/templates/{part}/*.in"):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for key in ("flash", "ram"):
                text = text.replace(f"@{key}@", target[key])
            with open(os.path.join(folder, os.path.basename(path)[:-3]), "w", encoding="utf-8") as f:
                f.write(text.replace("@target@", target["name"]))


def sources(folder, runtime):
    rt = [p for p in glob.glob(f"{ROOT}/rt/**/*.c", recursive=True) if "/x86/" not in p]
    own = [f"{ROOT}/src/base/rng.c", f"{ROOT}/tests/target/arena.c", os.path.join(folder, "startup.c"), "program.o"]
    return own + (rt if runtime else [])


def build(target, family, program, runtime, folder):
    """Puts program.elf, and what it needs, into the folder. The compiler's complaint, if any."""
    put_templates(target, family, folder)
    flags = ["-std=gnu11", "-O2", "-DTEST_ROUNDS=20000", "-ffunction-sections", "-fdata-sections", "-w"]
    flags += target["flags"].split() + [f"-DRUN_{name}={int(name in target['kernels'].split())}" for name in FOLDERS]
    flags += [f"-I{folder}", f"-I{ROOT}/tests/target", f"-I{ROOT}/tests", f"-I{ROOT}/src", f"-I{ROOT}/rt/include"]
    library = [word for word in family[2].split() if word.startswith("--specs")]
    compiles = flags + library + TEST_FLAGS + ["-c", os.path.join(ROOT, program), "-o", "program.o"]
    links = flags + family[2].split() + ["-Wl,--no-relax"] + sources(folder, runtime) + ["-lm", "-o", "program.elf"]
    for arguments in (compiles, links):
        done = subprocess.run([family[1]] + arguments, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            return f"does not build:\n{done.stderr}"
    return None


def run(target, family, folder, count=False):
    """Runs program.elf: its report, or "" after too long a time. count: an instruction takes a nanosecond."""
    arguments = (f"{family[5]} {family[6]}" if count else family[5]).replace("@machine@", target["machine"]).replace("@firmware@", "program.elf")
    try:
        subprocess.run([family[4]] + arguments.split(), cwd=folder, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ""
    path = os.path.join(folder, "report.txt")
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as f:
        return f.read()
