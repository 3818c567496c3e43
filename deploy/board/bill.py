"""The software bill of materials of a package and of a container image: `sbom.cdx.json`, in CycloneDX' form.

    python -m signflow.deploy.board.bill /home/signflow/sbom.cdx.json      # of the image, from inside

What runs on the board is "required", what made the package "excluded": signflow and every Python package behind it, as
installed here, with version and licence. `requirements.lock` has the hashes of what is installed. An image needs
everything in it: all Python packages of the environment, and Debian's.
"""

import re
import sys
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions, version
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = "signflow", "finn-plus"
"""What makes a package; FINN is no dependency of the wheel."""
NAME = "sbom.cdx.json"
DEBIAN = "/var/lib/dpkg/status", "/etc/os-release"
DATE = datetime(1980, 1, 1, tzinfo=UTC)
"""Packages have no dates: the same content, the same bytes."""


def bill(name: str, version: str, board: tuple[str, ...]) -> str:
    """The bill of package ``name`` in ``version`` (its network hash), whose driver imports the packages ``board``: the
    same text for the same packages installed.
    """
    parts = [_component(part, ComponentScope.REQUIRED) for part in board]
    parts += [_component(canonicalize_name(found.name), ComponentScope.EXCLUDED, found) for found in installed(*ROOTS)]
    return _text(Component(name=name, version=version, type=ComponentType.FIRMWARE, bom_ref="package"), parts)


def image(status: str, system: str) -> str:
    """The bill of the container image in which this runs: ``status`` is what dpkg has installed
    (`/var/lib/dpkg/status`), ``system`` `/etc/os-release`.
    """
    facts = dict(re.findall(r'^(\w+)="?(.*?)"?$', system, re.MULTILINE))
    parts = [
        Component(name=facts["ID"], version=facts["VERSION_ID"], type=ComponentType.OPERATING_SYSTEM, bom_ref="os")
    ]
    here = {canonicalize_name(found.name): found for found in distributions()}
    parts += [_component(name, ComponentScope.REQUIRED, here[name]) for name in sorted(here)]
    for entry in status.split("\n\n"):
        field = dict(re.findall(r"^([\w-]+): (.*)$", entry, re.MULTILINE))
        if field.get("Status", "").endswith(" installed"):
            told = {"arch": field["Architecture"], "distro": f"{facts['ID']}-{facts['VERSION_ID']}"}
            purl = PackageURL("deb", facts["ID"], field["Package"], field["Version"], told)
            about = {"name": field["Package"], "version": field["Version"], "scope": ComponentScope.REQUIRED}
            parts.append(Component(**about, purl=purl, bom_ref=str(purl)))
    root = Component(name="signflow", version=version("signflow"), type=ComponentType.CONTAINER, bom_ref="image")
    return _text(root, parts)


def _text(root: Component, parts: list[Component]) -> str:
    serial = uuid5(NAMESPACE_URL, " ".join(f"{part.name}=={part.version}" for part in [root, *parts]))
    bom = Bom(components=parts, serial_number=serial, metadata=BomMetaData(component=root, timestamp=DATE))
    bom.register_dependency(root, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def installed(*roots: str) -> list[Distribution]:
    """The distributions that ``roots`` (requirements) need, themselves included, as far as they are installed, by
    name.
    """
    found, todo = {}, [Requirement(root) for root in roots]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(wanted.name)
        except PackageNotFoundError:  # left out, as pyproject.toml says
            continue
        todo += map(Requirement, found[name].requires or [])
    return [found[name] for name in sorted(found)]


def _component(name: str, scope: ComponentScope, found: Distribution | None = None) -> Component:
    """Of a package as it is installed, or of any version."""
    version = found.version if found else None
    purl = PackageURL("pypi", name=name, version=version)
    licences = _licences(found) if found else []
    ref = str(purl)
    return Component(name=name, version=version, scope=scope, purl=purl, licenses=licences, bom_ref=ref)


def _licences(found: Distribution) -> list:
    """What the package says of itself: an SPDX expression, or the first line of a text."""
    facts = found.metadata
    if expression := facts.get("License-Expression"):
        return [LicenseExpression(expression)]
    words = (facts.get("License") or "").strip().splitlines()
    return [DisjunctiveLicense(name=words[0])] if words else []


if __name__ == "__main__":
    target, *files = sys.argv[1:]
    Path(target).write_text(image(*(Path(name).read_text() for name in files or DEBIAN)))
