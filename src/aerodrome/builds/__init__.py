"""A source tree becomes a content-addressed bundle; requirements become a virtualenv shared by content."""
