"""The engine: bricks through the Dask scheduler, tiles straight to the worker.

The only package that imports distributed.
"""
