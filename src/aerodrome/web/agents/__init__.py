"""The link that remote agents dial in on."""
