#!/usr/bin/env python3
"""The Debian packages that cpack makes: what is in them, and the program of one at work in a root folder that holds nothing but the
files of the packages it depends on. Called with the build folder; exit code 77 means skipped. SPDX-License-Identifier: Apache-2.0"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[1])
OUT = os.path.join(BUILD, "package-test")
WANTED = {  # package: files, fields
    "thimble": (["usr/bin/thimble", "usr/share/man/man1/thimble.1.gz", "usr/share/man/man1/thimble-shrink.1.gz",
                 "usr/share/bash-completion/completions/thimble", "usr/share/zsh/vendor-completions/_thimble",
                 "usr/share/thimble/recipes/lenet-5.yaml", "usr/share/doc/thimble/guide/install.md"],
                {"Section": "science", "Suggests": "qemu-system-arm", "Depends": "libhdf5"}),
    "libthimble0": (["usr/lib/libthimble.so.0"], {"Section": "libs", "Depends": "libc6"}),
    "libthimble-dev": (["usr/lib/libthimble.so", "usr/include/thimble/thimble.h", "usr/lib/pkgconfig/thimble.pc",
                        "usr/lib/cmake/Thimble/ThimbleConfig.cmake", "usr/share/thimble/rt/include/thr.h",
                        "usr/lib/libthimble_rt.a", "usr/share/doc/thimble/examples/library/shrink_model.c"],
                       {"Section": "libdevel", "Depends": "libthimble0 (= "}),
}


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def check(condition, complaint):
    if not condition:
        sys.exit(complaint)


def unpack(name):
    """Checks one package and unpacks it; its folder."""
    files, fields = WANTED[name]
    found = [f for f in os.listdir(OUT) if f.startswith(name + "_") and f.endswith(".deb")]
    check(len(found) == 1, f"{name}: {len(found)} packages")
    deb, folder = os.path.join(OUT, found[0]), os.path.join(OUT, name)
    for key, text in fields.items():
        value = run("dpkg-deb", "-f", deb, key)
        check(text in value, f"{name}: {key} is {value!r}, without {text!r}")
    check(len(run("dpkg-deb", "-f", deb, "Description").splitlines()) > 1, f"{name}: no long description")
    listing = run("dpkg-deb", "-c", deb)
    for line in listing.splitlines():
        check(line.split()[1] == "root/root", f"{name}: {line}: owned by somebody")
        check(line[0] == "l" or line[5] != "w" and line[8] != "w", f"{name}: {line}: others may write")
    run("dpkg-deb", "-x", deb, folder)
    for path in files + [f"usr/share/doc/{name}/copyright", f"usr/share/doc/{name}/changelog.gz"]:
        check(os.path.lexists(os.path.join(folder, path)), f"{name}: no {path}")
    return deb, folder


def needs(text):
    """Names in a Depends field, the first alternative that is installed of each."""
    for group in filter(None, text.strip().split(",")):
        names = [re.match(r"\s*([^\s:(]+)", a).group(1) for a in group.split("|")]
        yield next((n for n in names if installed(n)), names[0])


def installed(name):
    return subprocess.run(["dpkg-query", "-W", name], capture_output=True, check=False).returncode == 0


def closure(text):
    seen, todo = set(), list(needs(text))
    while todo:
        name = todo.pop()
        if name not in seen and installed(name):
            seen.add(name)
            todo += needs(run("dpkg-query", "-W", "-f", "${Depends}\n${Pre-Depends}\n", name).split("\n\n")[0].replace("\n", ","))
    return sorted(seen)


def clean_root(folder, packages, root):
    """The files of a package and shared libraries of those it depends on, with Debian's merged /usr."""
    shutil.copytree(folder, root, symlinks=True)
    for name in ("lib", "lib64"):
        os.makedirs(os.path.join(root, "usr", name), exist_ok=True)
        os.symlink("usr/" + name, os.path.join(root, name))
    for package in packages:
        for path in run("dpkg-query", "-L", package).splitlines():
            if ".so" not in os.path.basename(path) or not os.path.isfile(path):
                continue
            target = os.path.join(root, re.sub(r"^/(lib(64)?/)", r"usr/\1", path).lstrip("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
    os.makedirs(os.path.join(root, "tmp"))


def needs_no_mpi(deb):
    """A build without MPI makes packages that do not ask for it."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as f:
        if "THIMBLE_MPI:BOOL=OFF" in f.read():
            check("mpi" not in run("dpkg-deb", "-f", deb, "Depends"), "built without MPI, and depends on it")


def at_work(deb, folder):
    packages = closure(run("dpkg-deb", "-f", deb, "Depends"))
    inside = ["unshare", "-r", "chroot"]
    with tempfile.TemporaryDirectory(prefix="thimble-root-") as parent:
        root = os.path.join(parent, "root")
        clean_root(folder, packages, root)
        if subprocess.run([*inside, root, "/usr/bin/thimble", "--version"], capture_output=True, check=False).returncode == 125:
            print("not run: no chroot is allowed here")
            return
        with open(os.path.join(root, "points.csv"), "w", encoding="ascii") as f:
            f.write("a,b,kind\n" + "".join(f"{i % 19 - 9},{i % 17 - 8},{'le' if i % 19 < i % 17 else 'gt'}\n" for i in range(600)))
        with open(os.path.join(root, "points.txt"), "w", encoding="ascii") as f:
            f.write("input 2\nfully_connected 8\nrelu\nfully_connected 2\nsoftmax\n")
        data = ["--data", "/points.csv,label=kind,test=0.25"]
        for command in (["train", "points.txt", *data, "--epochs", "2", "-o", "a.thim"],
                        ["quantize", "a.thim", *data, "-o", "b.thim"], ["compile", "b.thim", "-o", "/firmware"],
                        ["devices", "--fits", "b.thim"], ["bench", "b.thim", "-n", "4"]):
            run(*inside, root, "/usr/bin/thimble", *command)
        check(os.path.exists(os.path.join(root, "firmware", "link.ld")), "no firmware is written")
        print(f"works with the shared libraries of {len(packages)} packages alone")


def main():
    if not os.path.exists(os.path.join(BUILD, "CPackConfig.cmake")):
        skip("this build has no packages (sanitizers)")
    for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
        if not shutil.which(program):
            skip(f"no {program} (Debian: cmake, dpkg-dev)")
    shutil.rmtree(OUT, ignore_errors=True)
    run("cpack", "-G", "DEB", "-B", OUT, cwd=BUILD)
    made = {name: unpack(name) for name in WANTED}
    for deb, _folder in made.values():
        needs_no_mpi(deb)
    if shutil.which("lintian"):
        complaints = run("lintian", "--fail-on", "error", *(deb for deb, _folder in made.values()))
        print(complaints, end="")
    else:
        print("not run: lintian")
    at_work(*made["thimble"])


main()
