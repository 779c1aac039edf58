"""Everything found in a source: neutral records, frozen on disk with a digest."""
