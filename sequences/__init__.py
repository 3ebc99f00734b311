"""Videos with boxes: one type, one reader a layout on disk, and clips that are rendered here. Needs OpenCV."""
