"""Draws house.svg, the picture in architecture.md: `python docs/draw_house.py [--root FOLDER] [-o FILE]`.

A room is a folder or a file directly below deploy/, and models/ and hw/ as a whole. An arrow is an import of one room
by another, wherever it stands in the file. A room's floor is one above the highest floor that it imports. An arrow that
closes a circle runs back up; of each circle the arrow of the fewest import lines is taken for it. Rooms, floors, arrows
and arrows back are printed. The picture leaves out an arrow where a longer way leads to the same room.
"""

import argparse
import ast
import itertools
from collections import Counter
from pathlib import Path

W, H, GAP, RISE, MARGIN = 120, 42, 36, 84, 24
STEP = 96
"""Every other floor stands so far to the right, so that an arrow over several floors passes beside their rooms."""
COLOURS = {"models": "#e8f0fe", "hw": "#fef7e0"}

Arrows = Counter[tuple[str, str]]
"""(importing room, imported room) -> import lines."""


def room(name: str, deploy: Path) -> str | None:
    """The room that a dotted ``name`` ("signflow.deploy.plan.fold.cost") stands in; None outside the house."""
    parts = name.split(".")
    if parts[0] != "signflow" or len(parts) < 2:
        return None
    if parts[1] in COLOURS:
        return parts[1]
    if parts[1] != "deploy" or len(parts) < 3:
        return None
    return parts[2] if (deploy / parts[2]).is_dir() or (deploy / f"{parts[2]}.py").exists() else None


def imported(path: Path) -> list[str]:
    """Every dotted name that the file imports, once for each line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += sorted({f"{node.module}.{alias.name}" for alias in node.names})
    return found


def arrows_of(root: Path) -> tuple[list[str], Arrows]:
    """(rooms, arrows) of the house below ``root``."""
    deploy = root / "deploy"
    rooms = {p.stem for p in deploy.iterdir() if (p / "__init__.py").exists() or p.suffix == ".py"} - {"__init__"}
    arrows: Arrows = Counter()
    for path in sorted([*deploy.rglob("*.py"), *(p for name in COLOURS for p in (root / name).rglob("*.py"))]):
        inside = path.relative_to(root).with_suffix("").parts
        here = room(".".join(("signflow", *inside)), deploy)
        for name in imported(path) if here else []:
            there = room(name, deploy)
            if there and there != here:
                arrows[here, there] += 1
    return sorted(rooms | set(COLOURS)), arrows


def circle(rooms: list[str], arrows: Arrows) -> list[tuple[str, str]] | None:
    """The arrows of one circle, None if there is none."""
    done: set[str] = set()

    def walk(at: str, way: list[str]) -> list[tuple[str, str]] | None:
        if at in way:
            turn = [*way[way.index(at) :], at]
            return list(itertools.pairwise(turn))
        if at in done:
            return None
        for there in sorted(b for a, b in arrows if a == at):
            if found := walk(there, [*way, at]):
                return found
        done.add(at)
        return None

    return next((found for start in rooms if (found := walk(start, []))), None)


def floors_of(rooms: list[str], arrows: Arrows) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(floor of every room, arrows that run back up)."""
    down, back = Counter(arrows), []
    while turn := circle(rooms, down):
        back.append(min(turn, key=lambda arrow: (down[arrow], arrow)))
        del down[back[-1]]
    floors = dict.fromkeys(rooms, 0)
    for _ in rooms:
        for a, b in down:
            floors[a] = max(floors[a], floors[b] + 1)
    return floors, back


def shown(arrows: Arrows, back: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way replaces, and those that run back up."""
    down = sorted(set(arrows) - set(back))
    below = {a: {b for x, b in down if x == a} for a, _ in down}

    def reached(at: str) -> set[str]:
        return {at}.union(*(reached(b) for b in below.get(at, ())))

    return [(a, b) for a, b in down if not any(b in reached(c) for c in below[a] - {b})] + back


def picture(floors: dict[str, int], arrows: Arrows, back: list[tuple[str, str]]) -> str:
    """The house as SVG, ground floor at the bottom, every floor's rooms above what they stand on."""
    levels = [sorted(r for r in floors if floors[r] == k) for k in range(max(floors.values()) + 1)]
    width = 2 * MARGIN + max(map(len, levels)) * (W + GAP) - GAP + STEP
    height = 2 * MARGIN + len(levels) * RISE - (RISE - H)
    x, placed = {}, 0.0
    for floor, level in enumerate(levels):
        under = {r: [x[b] for a, b in arrows if a == r and b in x] for r in level}
        level.sort(key=lambda r: (sum(under[r]) / len(under[r]) if under[r] else placed, r))
        left = (width - len(level) * (W + GAP) + GAP) / 2 + (STEP / 2 if floor % 2 else -STEP / 2)
        x |= {r: left + k * (W + GAP) + W / 2 for k, r in enumerate(level)}
    y = {r: height - MARGIN - H - floors[r] * RISE for r in floors}
    parts = [
        f'<path d="M {x[a]:.0f} {y[a] + H} C {x[a]:.0f} {y[a] + H + 30}, {x[b]:.0f} {y[b] - 30}, {x[b]:.0f} {y[b] - 3}"'
        f' fill="none" stroke="{"#c5221f" if (a, b) in back else "#9aa0a6"}" marker-end="url(#tip)"/>'
        for a, b in shown(arrows, back)
    ]
    for r in sorted(floors):
        parts.append(
            f'<rect x="{x[r] - W / 2:.0f}" y="{y[r]}" width="{W}" height="{H}" rx="8" '
            f'fill="{COLOURS.get(r, "#e6f4ea")}" stroke="#5f6368"/>'
        )
        parts.append(
            f'<text x="{x[r]:.0f}" y="{y[r] + 26}" font-size="14" font-weight="bold" text-anchor="middle">{r}</text>'
        )
    tip = '<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
    tip += '<path d="M0,0 L7,3 L0,6 z" fill="#5f6368"/></marker>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
    head += f'font-family="Helvetica, Arial, sans-serif"><defs>{tip}</defs>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def main() -> None:
    """Write the picture, print the figures."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Draw the imports between the rooms of the house.")
    parser.add_argument("--root", type=Path, default=here.parent, help="checkout to draw [this one]")
    parser.add_argument("-o", "--output", type=Path, default=here / "house.svg", help="SVG to write [docs/house.svg]")
    given = parser.parse_args()
    rooms, arrows = arrows_of(given.root)
    floors, back = floors_of(rooms, arrows)
    given.output.write_text(picture(floors, arrows, back))
    print(f"{len(rooms)} rooms, {max(floors.values()) + 1} floors, {len(arrows)} arrows, {len(back)} back up", *back)


if __name__ == "__main__":
    main()
