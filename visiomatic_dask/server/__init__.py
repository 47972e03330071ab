"""The server: Tornado handlers, the parsing of queries, open cubes, and pictures that are kept."""
