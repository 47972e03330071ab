"""What a layer is there for: an image, or a mask, an error or a weight that goes with one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from visiomatic_dask.cube import Layer

# EXTNAME and EXTTYPE as HST, JWST, Gemini, ESO, MUSE, SDSS and Rubin write them.
_SCIENCE = {"SCI", "SCIENCE", "DATA", "IMAGE", "FLUX"}
_AUXILIARY = {
    *("DQ", "MASK", "MSK", "BADPIX", "BPM", "FLAGS", "QUALITY", "QUAL", "CTX", "SEGMAP"),
    *("STAT", "VAR", "VARIANCE", "ERR", "ERROR", "ERRORS", "SIGMA", "NOISE", "RMS", "UNCERT", "UNC", "IVAR"),
    *("WHT", "WEIGHT", "WEIGHTS", "EXP", "EXPOSURE", "EXPMAP", "NEXP", "SAMP", "TIME", "CON"),
}


def is_auxiliary(layer: Layer) -> bool:
    """Whether a layer says of itself that it is a mask, an error, a weight or the like."""
    return not _AUXILIARY.isdisjoint(_words(layer))


def default_first(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Put the layer to show first at the front.

    It is the first that is neither a mask nor an error, and not smaller than one that is called science or data: a
    thumbnail in the primary HDU does not hide what the file is about.
    """
    science = next((one for one in layers if not _SCIENCE.isdisjoint(_words(one)) and not is_auxiliary(one)), None)
    least = science.width * science.height if science is not None else 0
    for layer in layers:
        if not is_auxiliary(layer) and layer.width * layer.height >= least:
            return (layer, *(one for one in layers if one is not layer))
    return tuple(layers)


def _words(layer: Layer) -> set[str]:
    """Words of EXTNAME and EXTTYPE: ``IMA_MUSE_WHITE_STAT``, ``SCI,2``, ``err1``."""
    text = f"{layer.header.get('EXTNAME', '')} {layer.header.get('EXTTYPE', '')}".upper()
    return {word.rstrip("0123456789") for word in re.split(r"[^A-Z0-9]+", text) if word}
