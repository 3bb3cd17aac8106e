"""Files of the project for the check scripts: what git tracks or would track, or everything outside build folders
when there is no git. As a program it lists them: tree.py SUFFIX... SPDX-License-Identifier: Apache-2.0"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(*suffixes):
    """Sorted paths relative to the root; all of them when no suffix is given."""
    try:
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout
        names = out.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = []
        for folder, folders, entries in os.walk(ROOT):
            folders[:] = [f for f in folders if not f.startswith((".git", "build", ".cache"))]
            names += [os.path.relpath(os.path.join(folder, e), ROOT) for e in entries]
    return sorted(n for n in set(names) if n.endswith(tuple(suffixes) or "") and os.path.isfile(os.path.join(ROOT, n)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def finish(problems, what, count):
    """Prints the problems, or how much was looked at, and leaves. Looking at nothing is a problem, too."""
    if count == 0:
        problems = problems + [f"{what}: found nothing to check"]
    for p in problems:
        print(p)
    print(f"{what}: {len(problems)} problem(s) in {count}" if problems else f"{what}: {count} checked")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    print("\n".join(files(*sys.argv[1:])))
