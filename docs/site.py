"""What mkdocs.yml asks of us: Markdown that lies outside docs/ becomes pages of the site, under names of its own."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docker/README.md": "docker.md",
    "hw/rtl/README.md": "rtl.md",
}
"""File of the repository -> page of the site."""
LINK = re.compile(r"\[([^\[\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def page_of(file: str) -> str:
    """Where a file of the repository lies on the site, as a path below docs/."""
    return ELSEWHERE.get(file) or posixpath.relpath(file, "docs")


def title_of(file: str) -> str:
    """The heading of a page, which a link that shows the file's name shows on the site."""
    return re.search(r"^# (.+)", (ROOT / file).read_text(), re.M)[1]


def moved(text: str, file: str) -> str:
    """The Markdown of ``file`` with its relative links as they are on the site, named by the heading of the page."""
    here = posixpath.dirname(page_of(file))

    def link(found: re.Match) -> str:
        path, mark, anchor = found[2].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        words = title_of(target) if found[1].endswith(".md") else found[1]
        return f"[{words}]({posixpath.relpath(page_of(target), here or '.')}{mark}{anchor})"

    return LINK.sub(link, text)


def on_files(files, config):
    """Adds the pages that lie elsewhere (event of mkdocs)."""
    for file, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=moved((ROOT / file).read_text(), file)))
    return files


def on_page_markdown(markdown, page, **_):
    """Links from docs/ to what lies elsewhere (event of mkdocs)."""
    return markdown if page.file.src_uri in ELSEWHERE.values() else moved(markdown, f"docs/{page.file.src_uri}")
