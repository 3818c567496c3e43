"""The software bill of materials of a package: `sbom.cdx.json`, in CycloneDX' form.

What runs on the board is "required", what made the package "excluded": signflow and every Python package behind it, as
installed here, with version and licence. `requirements.lock` has the hashes of what is installed.
"""

from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
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
DATE = datetime(1980, 1, 1, tzinfo=UTC)
"""Packages have no dates: the same content, the same bytes."""


def bill(name: str, version: str, board: tuple[str, ...]) -> str:
    """The bill of package ``name`` in ``version`` (its network hash), whose driver imports the packages ``board``: the
    same text for the same packages installed.
    """
    parts = [_component(part, ComponentScope.REQUIRED) for part in board]
    parts += [_component(canonicalize_name(found.name), ComponentScope.EXCLUDED, found) for found in installed(*ROOTS)]
    package = Component(name=name, version=version, type=ComponentType.FIRMWARE, bom_ref="package")
    serial = uuid5(NAMESPACE_URL, " ".join(f"{part.name}=={part.version}" for part in [package, *parts]))
    bom = Bom(components=parts, serial_number=serial, metadata=BomMetaData(component=package, timestamp=DATE))
    bom.register_dependency(package, parts)
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
