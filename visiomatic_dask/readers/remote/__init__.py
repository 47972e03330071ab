"""Files at URLs, read by ranges."""
