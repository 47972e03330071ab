"""The store: pyramids on disk, how they are cut into shards, built, and read."""
