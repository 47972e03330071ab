"""Files that are compressed as a whole: unpacked once, into a cache."""
