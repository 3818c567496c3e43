"""The mutation score's machinery: what it draws, and that it tells a mutant from what is none."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from signflow.tests.campaigns import python_mutants
from signflow.tests.campaigns.python_sites import ROOT, files, mutate, places, sample

CHILD = """
import json, sys
from signflow.tests.campaigns import python_server as server
from signflow.tests.campaigns.python_sites import Mutant

server.HANG = 2
server.CACHE = server.Path(sys.argv[1])
server.warm_up(("torch", "brevitas.nn"))
for source in json.loads(sys.argv[2]):
    mutant = Mutant("models/layers/variance.py", 1, "", "", "", 0, source)
    print(server.try_stages(mutant, [{"tests/models/layers/test_variance.py::test_reactnet_18": 0.01}]).verdict)
"""


def test_a_mutant_is_killed_a_hang_is_told_and_the_checkout_is_untouched(tmp_path):
    path = ROOT / "models" / "layers" / "variance.py"
    text, before = path.read_text(), path.stat()
    sources = [
        text.replace("alpha**2", "alpha*2"),
        text + "\nONE = 1\n",
        text.replace("betas.append", "while 1: betas.append"),
    ]
    assert sources[0] != text != sources[2]
    words = [sys.executable, "-c", CHILD, str(tmp_path / "out" / "cache"), json.dumps(sources)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT.parent)
    assert done.stdout.split() == ["killed", "survived", "hang"], done.stderr
    assert (path.read_text(), path.stat().st_mtime_ns) == (text, before.st_mtime_ns)


TEXT = '''
"""Says 1 + 1."""
@cache
def f(a: int | None = 3, *, b: bool = True) -> int | None:
    """0"""
    for x, y in zip(a, a, strict=True):
        if x < 1 and not b:
            raise ValueError(f"{x + 1} is not {1 - y}")
    assert a > 2
    return x

class A:
    def __repr__(self):
        return "a" * 2
'''


def test_what_people_read_and_what_guards_is_not_mutated():
    found = [mutate("x.py", TEXT, change) for changes in places(TEXT).values() for change in changes]
    lines = {line: {m.after for m in found if m and m.line == line} for line in places(TEXT)}
    assert set(lines) == {4, 6, 7}
    assert {line.replace(" ", "") for line in lines[4]} == {
        "deff(a:int|None=4,*,b:bool=True)->int|None:",
        "deff(a:int|None=2,*,b:bool=True)->int|None:",
        "deff(a:int|None=3,*,b:bool=False)->int|None:",
    }
    assert [line.replace(" ", "") for line in lines[6]] == ["forx,yin[]:"]
    assert {"if x < 1 or not b:", "if x <= 1 and not b:", "if x < 1 and  b:", "if x < 2 and not b:"} <= {
        line.replace("<  2", "< 2") for line in lines[7]
    }


def test_the_sample_is_deterministic_and_has_every_file():
    layers = [path for path in files() if path.startswith("models/layers/")]
    first = sample(40, 5, layers)
    assert first == sample(40, 5, layers)
    assert [m.name for m in first] != [m.name for m in sample(40, 6, layers)]
    assert {m.path for m in first} == set(layers) and len(first) >= 40
    assert len({(m.path, m.line) for m in first}) == len(first)
    for mutant in first:
        text = (ROOT / mutant.path).read_text()
        assert ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(text))
        assert mutant.before.splitlines()[0].strip() in [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("mutant", python_mutants.listed(), ids=str)
def test_what_is_listed_as_equivalent_is_still_there(mutant):
    path, before, after, nth = mutant
    text = "\n".join(line.strip() for line in Path(ROOT / path).read_text().splitlines())
    assert text.count(before) > nth, f"{path} reads otherwise now: remove the entry of python_equivalents.toml"
    assert before != after
