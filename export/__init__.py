"""From a checkpoint to target.onnx, search.onnx, xcorr.onnx and the model card, with measured parity."""
