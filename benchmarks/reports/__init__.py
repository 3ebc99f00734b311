"""What is shown: the bench report, comparisons, the demo."""
