"""What the planes of the demo cube have in common: stars, gas, galaxies and pixels without data.

The scene is what an integral-field spectrograph would see around H-alpha: foreground stars, a nebula of
filaments whose two sides move apart, a spiral galaxy and many small discs whose emission line shifts from
channel to channel as they rotate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visiomatic_dask.demo.fractal import Noise, Plane

HALF_BAND = 880.0  # km/s on either side of rest, however many channels share it
SATURATION = 16_000.0  # star cores above this are masked, as a pipeline would


@dataclass(frozen=True)
class Line:
    """An emission line on part of the plane: peak brightness and radial velocity (km/s) of each pixel."""

    window: tuple[slice, slice]
    peak: Plane
    velocity: Plane
    dispersion: float

    def seen_in(self, velocity: float, width: float) -> Plane:
        """Mean brightness in a channel at ``velocity`` that is ``width`` km/s wide."""
        # A channel is a box: its variance is width²/12
        observed = np.hypot(self.dispersion, width / np.sqrt(12))
        shape = np.exp(-0.5 * np.square((self.velocity - np.float32(velocity)) / np.float32(observed)))
        return np.asarray(self.peak * shape * np.float32(self.dispersion / observed), np.float32)


class Canvas:
    """Continuum and its slope along the band, emission lines, and which pixels have no data."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.level = np.zeros((height, width), np.float32)
        self.slope = np.zeros((height, width), np.float32)
        self.missing = np.zeros((height, width), np.bool_)
        self.lines: list[Line] = []
        self.nebula: list[Line] = []  # at half resolution: it has no detail finer than the seeing

    def window(self, x: float, y: float, radius: float) -> tuple[tuple[slice, slice], Plane, Plane]:
        """Part of the plane within ``radius`` of a position, and the offsets of its columns and rows."""
        rows = slice(max(0, int(y - radius)), min(self.height, int(y + radius) + 1))
        columns = slice(max(0, int(x - radius)), min(self.width, int(x + radius) + 1))
        dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(y)
        dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(x)
        return (rows, columns), dx, dy

    def add(self, window: tuple[slice, slice], light: Plane, slope: float) -> None:
        """Add continuum light that grows by ``slope`` from the middle of the band to its red end."""
        self.level[window] += light
        self.slope[window] += light * np.float32(slope)


def add_doubled(plane: Plane, half: Plane) -> None:
    """Add ``half`` to ``plane`` at twice its resolution, interpolating linearly."""
    for start in range(0, plane.shape[0], 2):
        rows = half[start // 2 : start // 2 + 2]
        for offset, mixed in ((0, 0.75 * rows[0] + 0.25 * rows[1]), (1, 0.25 * rows[0] + 0.75 * rows[1])):
            if start + offset < plane.shape[0]:
                target, size = plane[start + offset], plane.shape[1]
                target[0::2] += (0.75 * mixed[:-1] + 0.25 * mixed[1:])[: (size + 1) // 2]
                target[1::2] += (0.25 * mixed[:-1] + 0.75 * mixed[1:])[: size // 2]


def _paint_nebula(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint two sheets of gas moving apart, torn into filaments, with dust in front."""
    noise, dust = Noise(rng), Noise(rng)
    height, width = (canvas.height + 1) // 2 + 1, (canvas.width + 1) // 2 + 1
    scale = max(height, width)
    octaves = max(2, min(7, int(np.log2(scale / 8))))
    sheets = [np.empty((2, height, width), np.float32) for _ in range(2)]
    columns = ((np.arange(width, dtype=np.float32) - 0.40 * width) / scale)[None, :]
    for start in range(0, height, 64):  # in bands, so that the temporaries stay in the processor's cache
        band = slice(start, min(height, start + 64))
        y = ((np.arange(band.start, band.stop, dtype=np.float32) - 0.57 * height) / scale)[:, None]
        x, y = np.broadcast_to(columns, (y.size, width)), np.broadcast_to(y, (y.size, width))
        along, across = 0.80 * x + 0.60 * y, -0.60 * x + 0.80 * y
        push_x, push_y = noise.cloud(x * 3 + 40, y * 3, 4), noise.cloud(x * 3, y * 3 + 80, 4)
        # Bending the coordinates turns ridges into wisps
        bent_x, bent_y = x + 0.16 * push_x, y + 0.16 * push_y
        radius = np.hypot(along / 0.36, across / 0.25) + 0.55 * push_x
        body = 1 / (1 + np.exp((radius - 0.76) * 10)) * (1 - 0.6 * np.exp(-np.square(radius / 0.33)))
        wisps = noise.filaments(bent_x * 5.0, bent_y * 5.0, octaves)
        veil = np.square(np.clip(0.62 + noise.cloud(bent_x * 6 + 9, bent_y * 6, octaves - 1), 0, None))
        shade = np.exp(-4.5 * np.clip(dust.cloud(bent_x * 4.5, bent_y * 4.5, octaves) - 0.08, 0, None))
        sheets[0][0][band] = body * shade * (26 * veil + 300 * wisps * veil)
        sheets[0][1][band] = 20 + 1150 * along + 420 * push_y
        far = noise.filaments(bent_y * 6.5 + 60, bent_x * 6.5 + 20, octaves)
        rim = np.exp(-np.square((radius - 0.74) / 0.20))
        sheets[1][0][band] = shade * (rim * (20 * veil + 190 * far) + 8 * body)
        sheets[1][1][band] = -40 - 1000 * along + 380 * push_x
    everywhere = (slice(0, canvas.height), slice(0, canvas.width))
    for (peak, velocity), dispersion in zip(sheets, (230.0, 190.0), strict=True):
        canvas.nebula.append(Line(everywhere, peak, velocity, dispersion))
    glow = np.zeros((canvas.height, canvas.width), np.float32)  # scattered starlight and free-free emission
    add_doubled(glow, np.asarray(0.07 * (sheets[0][0] + sheets[1][0]), np.float32))
    canvas.add(everywhere, glow, -0.2)


def _paint_stars(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint foreground stars and a young cluster; the brightest have halos, spikes and masked cores."""
    field = max(4, int(canvas.height * canvas.width * 8.5e-4))
    young = field // 25
    scale = max(canvas.height, canvas.width)
    middle_x, middle_y, spread = 0.40 * canvas.width, 0.57 * canvas.height, 0.045 * scale
    x = np.append(rng.uniform(0, canvas.width, field), rng.normal(middle_x, spread, young))
    y = np.append(rng.uniform(0, canvas.height, field), rng.normal(middle_y, spread, young))
    # Counts grow as flux^-0.78 towards the faint end: a disc population seen through the Galaxy
    peak = np.append(2.5 * rng.random(field) ** -1.28, 30 * rng.random(young) ** -1.2).clip(None, 60_000)
    slope = np.append(rng.normal(0.10, 0.34, field), rng.normal(-0.45, 0.1, young)).clip(-0.65, 0.65)
    for i in np.argsort(peak):
        bright = peak[i] > 1500
        radius = 60 * (peak[i] / 1500) ** 0.40 if bright else 3 + 2.1 * (peak[i] / 0.1) ** 0.2
        window, dx, dy = canvas.window(x[i], y[i], radius)
        if not dx.size or not dy.size:
            continue
        square = dx * dx + dy * dy
        light = peak[i] * (1 + square / 4.2) ** -2.6  # Moffat, 2.3 pixels wide at half maximum
        if bright:
            distance = np.sqrt(square)
            edge = np.clip(1 - distance / radius, 0, None)
            spikes = np.exp(-np.minimum(np.abs(dx + 0.14 * dy), np.abs(dy - 0.14 * dx)) / 0.9)
            light += peak[i] * edge * (2.2e-2 * spikes / (1 + distance / 3.5) + 2.5e-3 / (1 + square / 90))
        canvas.add(window, light.astype(np.float32), float(slope[i]))
        if peak[i] > SATURATION:
            canvas.missing[window] |= square < (1 + peak[i] / 25_000) ** 2


def _paint_disc(
    canvas: Canvas, rng: np.random.Generator, at: tuple[float, float], size: float, peak: float, spiral: bool
) -> None:
    """Paint a rotating disc of scale length ``size`` with a bulge: stars, and gas that emits the line."""
    turn, tilt = rng.uniform(0, np.pi), np.cos(np.deg2rad(52 if spiral else rng.uniform(15, 82)))
    window, dx, dy = canvas.window(*at, 6.5 * size)
    major = np.cos(turn) * dx + np.sin(turn) * dy
    minor = np.cos(turn) * dy - np.sin(turn) * dx
    radius, angle = np.hypot(major, minor / tilt) / size, np.arctan2(minor / tilt, major)
    edge = np.clip((6.5 - radius) / 2, 0, 1)
    disc = np.exp(-radius) * edge
    bulge = np.exp(-5.3 * np.sqrt(np.hypot(major, minor / max(tilt, 0.75)) / (0.55 * size))) * edge
    gas = disc * radius * np.exp(-0.12 * radius)
    if spiral:
        noise = Noise(rng, 64)
        phase = 2 * (angle - np.log(radius + 0.05) / 0.42)
        arms = np.exp(2.2 * (np.cos(phase) - 1)) + 0.25 * np.exp(2 * (np.cos(2 * phase + 1.3) - 1))
        knots = np.exp(3.0 * noise.cloud((dx / size * 3.2 + 9).repeat(dy.size, 0), dy / size * 3.2 + 9, 4))
        disc, gas = disc * (0.40 + 1.0 * arms), gas * (0.15 + 1.6 * np.square(arms) * knots)
    canvas.add(window, (peak * (disc + 9 * bulge)).astype(np.float32), float(rng.uniform(0.05, 0.45)))
    speed = (420 if spiral else rng.uniform(60, 260)) * np.sqrt(1 - tilt**2)
    centre = -30.0 if spiral else float(rng.uniform(-0.85, 0.85)) * HALF_BAND  # other redshifts, other lines
    velocity = centre + speed * np.tanh(radius / 0.6) * np.cos(angle)
    strength = 2.4 if spiral else rng.choice([0.0, rng.uniform(1, 8)], p=[0.35, 0.65])  # a third have no gas
    light, dispersion = (peak * strength * gas).astype(np.float32), 110.0 if spiral else 60.0
    canvas.lines.append(Line(window, light, velocity.astype(np.float32), dispersion))


def _paint_missing(canvas: Canvas) -> None:
    """Mark what the mosaic lacks: a corner no pointing covered, and a short dead strip of the detector."""
    y = np.arange(canvas.height, dtype=np.float32)[:, None] / canvas.height
    x = np.arange(canvas.width, dtype=np.float32)[None, :] / canvas.width
    canvas.missing |= (x + 0.20 * y > 1.115) & (y - 0.20 * x > 0.66)
    strip = int(0.575 * canvas.width)
    canvas.missing[canvas.height // 9 : canvas.height // 4, strip : strip + 2] = True


def paint(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """Paint all that does not depend on the channel."""
    canvas = Canvas(height, width)
    _paint_nebula(canvas, rng)
    scale = min(height, width)
    _paint_disc(canvas, rng, (0.77 * width, 0.235 * height), 0.040 * scale, 120.0, spiral=True)
    for _ in range(max(2, int(height * width * 4.5e-5))):
        size = min(0.02 * scale, 1.3 * float(rng.random()) ** -0.55)
        at = float(rng.uniform(0, width - 1)), float(rng.uniform(0, height - 1))
        _paint_disc(canvas, rng, at, size, float(rng.uniform(6, 70)), spiral=False)
    _paint_stars(canvas, rng)
    _paint_missing(canvas)
    return canvas
