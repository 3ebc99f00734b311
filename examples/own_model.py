"""A PySOT checkpoint to engines to boxes, in one program; it needs the packages of a workstation.

    python examples/own_model.py --model siamrpn_r50 --checkpoint model.pth --video a.mp4 --init X,Y,W,H --out folder

Widths and block counts are read from the checkpoint, so a pruned one of the same architecture works as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.build import BuildRequest, build
from export.write import write
from networks.checkpoint import load
from networks.models import MODELS
from runtime.sources import open_source
from runtime.track import track
from siamtrt import BoundingBox, GraphPrecisions

COMMAND = "examples/own_model.py"  # recorded as what made the files


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=MODELS, required=True)
    arguments.add_argument("--checkpoint", type=Path, required=True, help="read without running code from it")
    arguments.add_argument("--video", required=True)
    arguments.add_argument("--init", type=BoundingBox.parse, required=True, help="X,Y,W,H in the first frame")
    arguments.add_argument("--out", type=Path, required=True, help="folder for onnx, engines and boxes")
    options = arguments.parse_args()

    network = load(options.model, options.checkpoint)  # a torch module with the checkpoint's weights
    write(network, options.model, options.out / "onnx", checkpoint=options.checkpoint, command=COMMAND)
    precisions = GraphPrecisions.parse("fp16")
    build(BuildRequest(options.out / "onnx", options.out / "engines", "onnxruntime", precisions, COMMAND))
    track(options.out / "engines", open_source(options.video), [options.init], options.out / "boxes")
    print((options.out / "boxes" / "boxes.txt").read_text(), end="")


if __name__ == "__main__":
    main()
