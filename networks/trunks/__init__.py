"""The networks that turn a crop into feature maps."""
