"""``python -m visiomatic_dask``."""

from visiomatic_dask.cli import main

if __name__ == "__main__":
    main(prog_name="python -m visiomatic_dask")
