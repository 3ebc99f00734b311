"""A command to be killed: writes ten pieces, then what they end in; ``--forget`` begins anew each time it is called."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from siamtrt.files import write_text

if __name__ == "__main__":
    out = Path(sys.argv[1])
    if "--forget" in sys.argv:
        shutil.rmtree(out, ignore_errors=True)
    for number in range(10):
        if not (out / "pieces" / str(number)).is_file():
            time.sleep(0.05)
            write_text(out / "pieces" / str(number), f"{number}\n")
            with (out / "lines").open("a") as stream:
                stream.write(f"{number}\n")
    write_text(out / "end.txt", "the end\n")
