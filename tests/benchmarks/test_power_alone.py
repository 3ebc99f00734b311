"""``sudo python3 -m benchmarks power`` on a board's host, where nothing but numpy is installed for root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCKED = ("cv2", "onnx", "onnxruntime", "tqdm", "tensorrt")


def test_power_needs_no_library_but_numpy():
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({BLOCKED}))\n"
        "from benchmarks.__main__ import COMMANDS\nfrom siamtrt import cli\n"
        "cli.table('benchmarks', '', COMMANDS, ['power', '--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
