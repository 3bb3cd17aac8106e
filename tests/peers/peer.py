"""What the tests against other programs share: finding the python that has the peers, the collected files, and the tool.
SPDX-License-Identifier: Apache-2.0"""
import os
import subprocess
import sys
import tarfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = subprocess.check_output(os.path.join(SOURCE, "scripts", "test-data"), text=True).strip()
INSIDE = "THIMBLE_INSIDE_PEERS"


class Failure(Exception):
    """What a test says when it finds something wrong."""


def need(condition, message):
    if not condition:
        raise Failure(message)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def collected(name):
    """Path of a collected file or folder, or the test is skipped."""
    path = os.path.join(DATA, name)
    return path if os.path.exists(path) else skip(f"no {path} (THIMBLE_TEST_DATA)")


def unpack(name, folder):
    """Unpacks a collected archive, once; gives the folder."""
    done = os.path.join(folder, ".unpacked")
    archive = collected(name)
    if not os.path.exists(done):
        os.makedirs(folder, exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        open(done, "w").close()
    return folder


def python(build):
    """The python that has the peers, or the test is skipped."""
    done = subprocess.run([os.path.join(SOURCE, "tests/peers/venv.sh"), build], capture_output=True, text=True)
    if done.returncode == 77:
        skip(done.stderr.strip().removeprefix("skipped: "))
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def enter():
    """Starts the running program again with the python that has the peers; its first argument is the build folder."""
    if os.environ.get(INSIDE):
        return
    words = [python(os.path.abspath(sys.argv[1])), os.path.abspath(sys.argv[0])] + sys.argv[1:]
    os.execve(words[0], words, dict(os.environ, **{INSIDE: "1"}))


def thimble(build, *words):
    """Runs the tool; the caller looks at its end."""
    return subprocess.run([os.path.join(build, "thimble"), *words, "--quiet"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def thimble_must(build, *words):
    done = thimble(build, *words)
    need(done.returncode == 0, f"thimble {' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout
