"""Pages of what was measured: the newest first, one section a day and machine, none replaced by another's."""

import datetime as dt
import re
from pathlib import Path

from earlier import processor

_SECTION = re.compile(r"^## \d{4}-\d\d-\d\d, ", re.MULTILINE)


def keep(page: Path, introduction: str, measured: str) -> None:
    """Put what was measured today on this machine on a page, in place of what an earlier run of the day told.

    introduction: what stands above all sections; measured: Markdown below the section's heading.
    """
    heading = f"## {dt.datetime.now(dt.UTC).date().isoformat()}, {processor()}\n"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    starts = [found.start() for found in _SECTION.finditer(text)]
    ends = [*starts[1:], len(text)] if starts else []
    sections = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    others = [section.strip() for section in sections if not section.startswith(heading)]
    parts = [introduction.strip(), f"{heading}\n{measured.strip()}", *others]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
