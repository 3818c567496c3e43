"""The manual: every command on it exists with the options that stand there, every link and anchor leads somewhere, and
the site loads nothing from the network.
"""

import os
import re
import runpy
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from signflow.deploy import products, steps
from signflow.deploy.board import package as packages
from signflow.deploy.command.cli import main
from signflow.deploy.tools.vivado import texts

from .manual_blocks import PAGES, ROOT, blocks, mentioned

MAKEFILES = "".join((ROOT / name).read_text() for name in ("Makefile", "docker/docker.mk")) + texts.MAKEFILE
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILES, re.M))
VARIABLES = set(re.findall(r"\$[({](\w+)[)}]", MAKEFILES)) | {"VIVADO", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"}


def check(words: list[str], complete: bool) -> None:
    """Raises if a command is none: an unknown verb, option or choice, too many arguments; too few where the command is
    ``complete``.
    """
    if words[0] == "make":
        for word in words[1:]:
            name = word.partition("=")[0]
            assert name in VARIABLES if "=" in word else word in TARGETS | {"-n"}, f"make: {word}"
        return
    if words[1].startswith("-"):
        assert words[1] in ("--help", "-h", "--version")
        return
    command = main.commands.get(words[1])
    assert command, f"no command {words[1]!r}"
    if len(words) == 2 and not complete:
        return
    context = click.Context(command, info_name=words[1])
    given, rest, _ = command.make_parser(context).parse_args(words[2:])
    assert not rest, f"{words}: {rest} is too much"
    for param in command.params:
        value = given.get(param.name)
        missing = param.name not in given or param.value_is_missing(value)
        assert not (complete and param.required and missing), f"{words}: {param.name} is missing"
        if isinstance(param.type, click.Choice) and isinstance(value, str):
            param.type.convert(value, param, context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(page):
    for block in blocks(page):
        for words in block.commands if block.excuse != "it is wrong" else ():
            check(words, complete=True)
    for words in mentioned(page):
        check(words, complete=False)


@pytest.mark.parametrize("words", [
    "signflow biuld cnv", "signflow build cnv --bord x", "signflow build cnv --prefer speed", "signflow build",
    "signflow build cnv tfc", "make demmo", "make demo NETT=x",
])  # fmt: skip
def test_a_wrong_command_is_found(words):
    with pytest.raises((AssertionError, click.ClickException)):
        check(words.split(), complete=True)


# pages that are written by a script


def script(name: str) -> dict:
    """The names of a script of docs/."""
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def test_the_page_of_the_operators_and_its_pictures_are_current(tmp_path):
    script("draw_operators")["write"](tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.rglob("*.*")}
    there = [ROOT / "docs" / "operators.md", *(ROOT / "docs" / "operators").iterdir()]
    assert made == {path.name: path.read_text() for path in there}, "run: python docs/draw_operators.py"


def entries(text: str) -> set[str]:
    """What a page of errors shows: block, message and advice of each."""
    return set(re.split(r"\n(?=<!-- not run|## |```(?:sh|python))", text))


def test_the_errors_of_the_command_are_current():
    missing = entries(script("draw_errors")["text"](quick=True)) - entries(page("errors"))
    assert not missing, "run: python docs/draw_errors.py"


@pytest.mark.slow
def test_the_page_of_errors_is_current():
    assert page("errors") == script("draw_errors")["text"](), "run: python docs/draw_errors.py"


def test_the_page_of_products_names_all():
    text = page("products")
    for name in (steps.VERIFIED, steps.SYNTHESISED, steps.PROJECT, steps.BITSTREAM, products.SETTINGS):
        assert f"`{name}" in text
    for name, step in steps.STEPS.items():
        assert all(re.search(rf"`{re.escape(made)}/?` \| step `{name}`", text) for made in step.products), name
    listed = re.search(r"\n\n(    <name>.*?)\n\n", packages.__doc__, re.S)[1]
    for line in re.findall(r"^    (\S.*?)  ", listed, re.M):
        assert all(word.strip(",").replace("<name>", "<net>") in text for word in line.split()), line


# the site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built site; nothing in it may be linked wrong (mkdocs' strict mode)."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_has_every_page_and_loads_nothing_from_the_network(site):
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").exists(), page
    pages = list(site.glob("*.html"))
    for page in pages:
        text = page.read_text()
        loads = re.findall(r"<(?:script|img|iframe|source)[^>]* src=\"?([^\s\">]+)", text)
        loads += re.findall(r"<link [^>]*href=\"?([^\s\">]+)", text)
        assert loads and not [one for one in loads if re.match(r"(https?:)?//", one)], page
        assert not re.search(r"<p>[^<]*\n(- |\d\. |\|)", text), f"{page}: a list or table that became a paragraph"


@pytest.fixture
def opened(site, browser):
    """Opens a page of the site in a window of a width and theme, as a file; nothing may be asked of the network, and
    nothing may stand in the browser's console afterwards.
    """
    seen = []

    def open_page(name: str, width: int = 1280, theme: str = "light"):
        shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        shown.on("console", lambda message: seen.append(message.text))
        shown.on("pageerror", lambda error: seen.append(str(error)))
        shown.on("request", lambda ask: seen.append(ask.url) if not ask.url.startswith(("file:", "data:")) else 0)
        shown.goto((site / f"{name}.html").as_uri())
        return shown

    yield open_page
    assert seen == []


def test_pages_fit_in_both_themes_and_on_a_telephone(opened):
    for width, theme in ((1280, "light"), (1280, "dark"), (360, "light")):
        page = opened("operators", width, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour)[:3])) > 600) == (theme == "light")
        drawn = page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        assert drawn, "a picture is missing"


def test_the_search_finds_without_a_server(opened):
    page = opened("index")
    page.locator(".md-search__input").first.fill("popcount")
    page.locator(".md-search-result__item").first.wait_for(timeout=20_000, state="attached")
    assert "matching" in page.locator(".md-search-result__meta").inner_text()


def test_a_wrong_anchor_is_found(tmp_path):
    """That mkdocs.yml asks for it: the same site with one page that points nowhere."""
    pytest.importorskip("mkdocs")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[two](#two)\n")
    config = load_config(
        str(ROOT / "mkdocs.yml"), docs_dir=str(tmp_path / "docs"), site_dir=str(tmp_path / "site"), nav=None, hooks=[]
    )
    with pytest.raises(Abort):
        build(config)


# what stands there, done


RUN = ("first-ten-minutes", "own-network", "papers", "products", "exactness")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_is_run_or_says_why_not(page):
    generated = page.stem in ("api", "command", "errors", "operators")  # with tests of their own, above
    runs = page.parent == ROOT / "docs" and page.stem in RUN
    idle = [b.text for b in blocks(page) if b.commands and not b.excuse and not (runs and b.language == "sh")]
    assert generated or not idle


def shown(output: str) -> list[str]:
    """Rows of a table without their last cell, or all of the text, as words with one blank between them."""
    rows = [line.rpartition(line[0])[0].rpartition(line[0])[0] for line in output.splitlines() if line[0] in "│┃"]
    return [" ".join(text.split()) for text in rows or [output]]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_run_as_they_stand(name, tmp_path):
    """Every block in order, in one folder; those of Python are saved under their title, or run at once. What is shown
    of their output is in it, but for the last column of tables, which is seconds.
    """
    command = tmp_path / "bin" / "signflow"
    command.parent.mkdir()
    start = "from signflow.deploy.command.start import main; main()"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{start}' \"$@\"\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    places = [str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(places), "PYTHONPATH": str(ROOT.parent), "PYTHONSAFEPATH": ""}
    work, said = tmp_path / "work", ""
    work.mkdir()
    for block in blocks(ROOT / "docs" / f"{name}.md"):
        if block.file:
            (work / block.file).write_text(block.text)
        if not block.language:
            for line in shown(block.text):
                assert line in said, line
        if block.excuse or block.file or block.language not in ("sh", "python"):
            continue
        program = ["bash", "-e", "-c"] if block.language == "sh" else [sys.executable, "-c"]
        done = subprocess.run([*program, block.text], cwd=work, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        said += " ".join(done.stdout.split())
    assert list(work.glob("out/*/5-accelerator/accel.json"))
