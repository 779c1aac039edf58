"""What the shop's pipelines share."""
