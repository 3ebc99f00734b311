"""What it saves to stay on the GPU: the runtime's chain beside one that goes through the host."""
