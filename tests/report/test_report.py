#!/usr/bin/env python3
"""report.html without a browser: its parts, its policy, that its numbers agree with each other, that no text becomes markup,
and what `thimble report` does. Usage: test_report.py BUILD_DIR     SPDX-License-Identifier: Apache-2.0"""
import base64
import hashlib
import html.parser
import json
import os
import shutil
import sys
import tempfile
import traceback

import results


class Page(html.parser.HTMLParser):
    """Elements in order, with attributes; text of scripts and styles."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.inside = [], [], None
        self.feed(results.read(path))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside = (tag, dict(attributes))
            self.texts.append([*self.inside, ""])

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[0]:
            self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.texts[-1][2] += data

    def text(self, tag, **attributes):
        return [t for name, a, t in self.texts if name == tag and all(a.get(k) == v for k, v in attributes.items())]

    def data(self):
        return json.loads(self.text("script", id="data")[0])


def test_is_one_file(folder):
    """Nothing is loaded: no address in any attribute but those of the page itself, and a policy that forbids it."""
    for name in ("full", "lossless", "fit", "hostile"):
        page = Page(os.path.join(folder, name, "report.html"))
        for tag, attributes in page.elements:
            assert tag not in ("img", "link", "iframe", "object", "embed", "base", "audio", "video", "source"), (name, tag)
            assert "src" not in attributes and "style" not in attributes, (name, tag, attributes)
            assert not any(k.startswith("on") for k in attributes), (name, tag, attributes)
            assert attributes.get("href", "#").startswith("#"), (name, tag, attributes)


def test_policy_names_the_scripts(folder):
    page = Page(os.path.join(folder, "full", "report.html"))
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy, policy
    ran = [t for tag, a, t in page.texts if tag == "style" or "type" not in a]
    assert len(ran) == 3, [len(t) for t in ran]
    for text in ran:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy, (digest, policy)


def test_texts_stay_texts(folder):
    """The page of the folder full of markup has the same elements as the other, and shows that markup."""
    a, b = (Page(os.path.join(folder, name, "report.html")) for name in ("fit", "hostile"))
    assert [t for t, _ in a.elements] == [t for t, _ in b.elements]
    data = b.data()
    assert data["stages"][0]["name"].endswith(results.HOSTILE), data["stages"][0]
    assert data["fit"]["sensitivity"][1]["layer"].endswith(results.HOSTILE)
    assert data["measured"]["evaluation"]["classes"][0]["name"].endswith(results.HOSTILE)


def test_numbers_agree(folder):
    for name in ("full", "lossless"):
        data = Page(os.path.join(folder, name, "report.html")).data()
        report = json.loads(results.read(folder, name, "report.json"))
        size = os.path.getsize(os.path.join(folder, name, "model.thim"))
        assert [s["bytes"] for s in data["stages"]] == [s["bytes"] for s in report["stages"]]
        assert data["stages"][-1]["bytes"] == size == data["flash"]["bytes"], (name, size, data["flash"])
        assert sum(p["bytes"] for p in data["flash"]["parts"]) == size
        in_layers = sum(layer.get("bytes", 0) for layer in data["layers"])
        assert 0 < size - in_layers == next(p["bytes"] for p in data["flash"]["parts"] if p["name"] == "header")


def test_firmware_is_predicted(folder):
    """Parts add up to the whole, RAM to arena and stack, instructions to those of the layers."""
    for name in ("full", "lossless"):
        data = Page(os.path.join(folder, name, "report.html")).data()
        soon, parts = data["predicted"], {p["name"]: p["bytes"] for p in data["firmware"]["parts"]}
        assert data["target"] == soon["target"] == "cortex-m4"
        assert sum(parts.values()) == soon["flash_bytes"] == data["firmware"]["bytes"], (parts, soon)
        assert parts["code"] == soon["code_bytes"] > parts["weights"] > 0 and parts["other"] > 0
        assert soon["arena_bytes"] == data["arena"]["bytes"] and soon["ram_bytes"] == soon["arena_bytes"] + soon["stack_bytes"]
        assert sum(layer["instructions"] for layer in soon["layers"]) == soon["instructions"]
        assert {layer["name"] for layer in soon["layers"]} <= {layer["name"] for layer in data["layers"]}


def test_weights_are_counted(folder):
    data = Page(os.path.join(folder, "full", "report.html")).data()
    seen = 0
    for layer in data["layers"]:
        if "histogram" not in layer:
            continue
        h = layer["histogram"]
        for when in ("before", "after"):
            assert sum(h[when]["bins"]) + h[when]["zeros"] == h[when]["weights"], (layer["name"], when)
        assert h["after"]["weights"] == layer["weights"] == sum(n for _, n in layer["levels"])
        assert abs(layer["sparsity"] - h["after"]["zeros"] / layer["weights"]) < 1e-9
        assert len(layer["levels"]) <= 7, layer["levels"]  # 6 clusters, and zero
        for value, count in h.get("centroids", []):
            assert value == 0 or h["lo"] <= value <= h["hi"] and count > 0
        seen += 1
    assert seen == 5, seen


def code_bits(code):
    """Bits of all words of a code in the stream, plain bits included."""
    plain = code.get("plain_bits", code["extra"])
    return sum(uses * (length + (0 if code["kind"] == "gaps" and number == code["escape"] else plain))
               for number, length, uses in code["words"])


def test_code_words(folder):
    """A complete prefix code (Kraft), and uses that add up to exactly the bytes of the stream."""
    seen = set()
    for name in ("full", "lossless"):
        for layer in Page(os.path.join(folder, name, "report.html")).data()["layers"]:
            codes = layer.get("codes", [])
            assert bool(codes) == (layer.get("coder") in ("huffman", "gap_huffman")), layer
            for code in codes:
                kraft = sum(2.0 ** -length for _, length, _ in code["words"])
                assert kraft == 1, (layer["name"], code)
            if codes:
                bits = sum(code_bits(code) for code in codes)
                assert (bits + 7) // 8 == layer["weight_bytes"], (layer["name"], bits, layer["weight_bytes"])
                seen.add(layer["coder"])
    assert "huffman" in seen or "gap_huffman" in seen, seen


def test_arena_map(folder):
    """Buffers lie inside the arena; at each step, those that are there for several steps do not overlap."""
    for name in ("full", "lossless"):
        arena = Page(os.path.join(folder, name, "report.html")).data()["arena"]
        top = 0
        for b in arena["buffers"]:
            top = max(top, b["offset"] + b["bytes"])
            assert 0 <= b["first"] <= b["last"] < len(arena["steps"]), b
        for s in arena["steps"]:
            top = max(top, s.get("scratch_offset", 0) + s.get("scratch_bytes", 0))
        assert top == arena["bytes"] >= arena["lower_bound"], (top, arena["bytes"])
        for step in range(len(arena["steps"])):
            alive = [b for b in arena["buffers"] if b["first"] <= step <= b["last"]]
            for i, a in enumerate(alive):
                for b in alive[i + 1:]:
                    apart = a["offset"] + a["bytes"] <= b["offset"] or b["offset"] + b["bytes"] <= a["offset"]
                    handed_over = a["offset"] == b["offset"] and step in (a["first"], b["first"])
                    assert apart or handed_over, (step, a, b)


def test_measured(folder):
    data = Page(os.path.join(folder, "full", "report.html")).data()
    evaluation, comparison = data["measured"]["evaluation"], data["measured"]["comparison"]
    right = sum(row[i] for i, row in enumerate(evaluation["confusion"]))
    assert abs(right / evaluation["samples"] - data["stages"][-1]["accuracy"]) < 1e-9
    assert comparison["worst_layer"] in [layer["name"] for layer in comparison["layers"]]
    probes = data["measured"]["sensitivity"]
    assert [(p["layer"], p["setting"]) for p in probes] == [
        (layer, bits) for layer in ("conv1", "dw2", "pw3", "fc4", "fc5") for bits in ("int4", "int2")], probes
    base = probes[0]["accuracy"] + probes[0]["drop"] / 100
    assert all(abs(p["accuracy"] + p["drop"] / 100 - base) < 1e-9 and 0 <= p["accuracy"] <= 1 for p in probes), probes
    assert max(p["drop"] for p in probes) > 0
    assert "sensitivity" not in Page(os.path.join(folder, "fit", "report.html")).data()["measured"]
    assert "measured" not in Page(os.path.join(folder, "lossless", "report.html")).data()


def test_report_again(folder):
    """Without data the page keeps what was measured, unless it was measured of another result; -o; what is printed."""
    work = os.path.join(folder, "again")
    shutil.copytree(os.path.join(folder, "full"), work)
    before = results.read(work, "report.html")
    said = json.loads(results.run(BUILD, folder, "report", "again", "--json"))
    assert said["measured"] and said["report"] == "again/report.html" and said["bytes"] == os.path.getsize(os.path.join(work, "report.html"))
    assert results.read(work, "report.html") == before, "the same folder gives another page"
    results.run(BUILD, folder, "report", "again", "-o", "page.html")
    assert results.read(folder, "page.html") == before
    results.write(results.read(work, "report.json") + "\n", work, "report.json")
    assert not json.loads(results.run(BUILD, folder, "report", "again", "--json"))["measured"]
    assert "--data" in results.run(BUILD, folder, "report", "again")


def test_bad_folders(folder):
    """One error that names the file; the page that was there stays."""
    work = os.path.join(folder, "bad")
    shutil.copytree(os.path.join(folder, "full"), work)
    before = results.read(work, "report.html")
    assert "nowhere: there is no such folder" in results.run(BUILD, folder, "report", "nowhere", code=3)
    for text, part in (("{", "report.json"), ("[]", "no JSON object"), ("{}", "stages"),
                       ('{"stages": [{"graph": "stages/none.thim"}]}', "none.thim"),
                       ('{"stages": [{"graph": "../../full/model.thim"}]}', "bad/stages/model.thim"),
                       ('{"stages": 3}', "stages"), ('{"stages": [{"graph": "stages/measured.json"}]}', "measured.json")):
        results.write(text, work, "report.json")
        assert part in results.run(BUILD, folder, "report", "bad", code=3), (text, part)
    assert results.read(work, "report.html") == before
    results.run(BUILD, folder, "report", code=2)


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        results.make(BUILD, folder)
        for test in TESTS:
            print(f"[ RUN      ] {test.__name__}")
            try:
                test(folder)
                print(f"[       OK ] {test.__name__}")
            except Exception:
                traceback.print_exc(file=sys.stdout)
                print(f"[  FAILED  ] {test.__name__}")
                failed += 1
    sys.exit(failed > 0)


BUILD = sys.argv[1]
main()
