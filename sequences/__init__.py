"""Videos with boxes: one sequence, one reader a layout, and the rendered clips."""
