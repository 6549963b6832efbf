"""docs/layouts.md lists the architectures of the table; `python -m tests.checkpoint.test_layouts_page` writes it."""

from pathlib import Path

from lineal.checkpoint.layouts.published_alone import PUBLISHED_ALONE
from lineal.checkpoint.layouts.table import LAYOUT_NAMES, LAYOUTS

PAGE = Path(__file__).parents[2] / "docs" / "layouts.md"
BEGINS, ENDS = "<!-- table -->\n", "<!-- end of table -->\n"


def table() -> str:
    rows = [
        f"| `{name}` | {', '.join(f'`{one}`' for one in sorted(LAYOUTS) if name in LAYOUTS[one])} |"
        for name in LAYOUT_NAMES
    ]
    alone = ", ".join(f"`{one}`" for one in sorted(PUBLISHED_ALONE))
    return "\n".join(["| layout | architectures |", "|---|---|", *rows, f"| none other | {alone} |", ""])


def test_the_page_lists_the_table() -> None:
    listed = PAGE.read_text(encoding="utf-8").partition(BEGINS)[2].partition(ENDS)[0]
    assert listed == table()


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGINS)
    PAGE.write_text(before + BEGINS + table() + ENDS + rest.partition(ENDS)[2], encoding="utf-8")
