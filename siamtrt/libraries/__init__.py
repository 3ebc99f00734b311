"""What needs a library beyond numpy: ONNX Runtime, TensorRT, CUDA, OpenCV. Import each module by name."""
