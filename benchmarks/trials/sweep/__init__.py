"""Every mix of precisions measured alike, and which of them are worth having."""
