"""How entangled the rooms are: in each, the imports that cross from one sub-room to another, and the arrows they make.

A file that lies directly in a room counts as a sub-room of its own. `python benchmarks/arrows.py [SRC]` counts the tree
under SRC, by default this one's.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("checkpoint", "engines", "family", "lineage", "methods")


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "src"
    modules = {_name(path.relative_to(source)): path for path in (source / "lineal").rglob("*.py")}
    edges = {(module, used) for module, path in modules.items() for used in _imports(path, modules)}
    print("room        files  sub-rooms  imports across  arrows")
    for room in ROOMS:
        inside = f"lineal.{room}."
        crossing = [
            (_subroom(one), _subroom(other))
            for one, other in edges
            if one.startswith(inside) and other.startswith(inside) and _subroom(one) != _subroom(other)
        ]
        files = [module for module in modules if module.startswith(inside)]
        rooms = {_subroom(module) for module in files}
        print(f"{room:10}  {len(files):5}  {len(rooms):9}  {len(crossing):14}  {len(set(crossing)):6}")


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _subroom(module: str) -> str:
    return module.split(".")[2]


def _imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if (found := whole if whole in modules else node.module) in modules:
                    yield found


if __name__ == "__main__":
    main()
