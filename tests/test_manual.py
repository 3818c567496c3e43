"""The manual: every command on it exists with the options that stand there, every link and anchor leads somewhere, and
the site loads nothing from the network.
"""

import re
import subprocess
import sys

import click
import pytest

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
        for words in block.commands:
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
