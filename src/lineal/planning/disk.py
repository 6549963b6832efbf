"""Whether what is to be written fits on the disks it goes to."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def without_room(writes: Iterable[tuple[Path, int]]) -> list[str]:
    """A line for each file system that is given more bytes than are free there; folders need not exist yet."""
    needed: dict[int, int] = {}
    places: dict[int, list[Path]] = {}
    for folder, count in writes:
        place = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
        device = os.stat(place).st_dev
        needed[device] = needed.get(device, 0) + count
        places.setdefault(device, []).append(place)
    free = {device: shutil.disk_usage(found[0]).free for device, found in places.items()}
    return [
        f"{' and '.join(sorted({str(place) for place in places[device]}))}: does not fit: "
        f"{count:,} bytes to write, {free[device]:,} free"
        for device, count in needed.items()
        if count > free[device]
    ]
