"""The networks on ONNX Runtime: crops by OpenCV, kernels by patched bytes."""
