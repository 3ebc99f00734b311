"""The matcher on TensorRT: a frame goes to the GPU, two small maps come back."""
