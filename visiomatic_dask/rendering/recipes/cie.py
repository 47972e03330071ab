"""True colour: CIE 1931 colour matching functions of the 2° observer, and linear sRGB.

The functions are the multi-lobe fits of Wyman, Sloan & Shirley (2013, Journal of Computer Graphics Techniques 2(2),
1-11, equation 4); the matrix is that of IEC 61966-2-1 (sRGB, white point D65).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VISIBLE = (380.0, 780.0)
"""Nanometres."""
_ENOUGH = (430.0, 650.0)
"""Nanometres that have to be covered for white to be what white light gives."""
_LOBES: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)
"""Height, centre, and standard deviations to the left and to the right in nm, of the lobes of x, y and z."""
_RGB_OF_XYZ = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]], dtype=np.float64
)


def matching_functions(wavelengths: Array) -> Array:
    """Colour matching functions x, y and z at wavelengths in nm, (…, 3)."""
    columns = []
    for lobes in _LOBES:
        column = np.zeros(np.shape(wavelengths))
        for height, centre, left, right in lobes:
            width = np.where(wavelengths < centre, left, right)
            column += height * np.exp(-0.5 * ((wavelengths - centre) / width) ** 2)
        columns.append(column)
    return np.stack(columns, axis=-1)


def cie_weights(wavelengths: Array) -> Array:
    """Weights of channels in linear red, green and blue.

    Each channel stands for the light up to half way to its neighbours. X, Y and Z are scaled each so that light of the
    same energy at all wavelengths has the white point of sRGB, and is (1, 1, 1). Of channels that do not reach from
    430 to 650 nm it is what those wavelengths add to that: red, where there is nothing but red.

    Parameters
    ----------
    wavelengths : ndarray of float64, (C,)
        In nm, in any order; all within `VISIBLE`.

    Returns
    -------
    ndarray of float64, (C, 3)
    """
    unique, places, counts = np.unique(wavelengths, return_inverse=True, return_counts=True)
    widths = np.gradient(unique) if unique.size > 1 else np.ones(1)
    responses = matching_functions(unique) * widths[:, np.newaxis]
    if unique[0] <= _ENOUGH[0] and unique[-1] >= _ENOUGH[1]:
        totals = responses.sum(axis=0)
    else:
        totals = matching_functions(np.arange(VISIBLE[0], VISIBLE[1] + 0.5)).sum(axis=0)
    white = np.linalg.solve(_RGB_OF_XYZ, np.ones(3))
    weights: Array = (responses * (white / totals)) @ _RGB_OF_XYZ.T / counts[:, np.newaxis]
    return weights[places]
