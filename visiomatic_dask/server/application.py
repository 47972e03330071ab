"""The Tornado application: routes, the page, health."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from tornado.web import Application, HTTPError, StaticFileHandler

from visiomatic_dask.server.api_handler import APIHandler
from visiomatic_dask.server.base import BaseHandler, NotFoundHandler, Services
from visiomatic_dask.server.colormap_handlers import ColormapsHandler, StripHandler
from visiomatic_dask.server.contour_handler import ContourHandler
from visiomatic_dask.server.coordinate_handlers import AxesHandler, PixelsHandler, WCSHandler, WorldHandler
from visiomatic_dask.server.cube_handlers import (
    CubeHandler,
    CubesHandler,
    TileHandler,
    ValuesHandler,
)
from visiomatic_dask.server.cutout_handler import CutoutHandler
from visiomatic_dask.server.distribution_handlers import CutsHandler, HistogramHandler
from visiomatic_dask.server.events_handler import LARGEST_MESSAGE, PING_INTERVAL, EventsHandler
from visiomatic_dask.server.legend_handler import LegendHandler
from visiomatic_dask.server.preset_handler import PresetsHandler
from visiomatic_dask.server.region_handlers import RegionHandler
from visiomatic_dask.server.responses import error_response
from visiomatic_dask.server.sweep_handlers import JobHandler, JobResultHandler, SweepsHandler

_NUMBER = r"(\d{1,9})"


class HealthHandler(BaseHandler):
    """``/health``."""

    def get(self) -> None:
        """Say whether tiles can be served."""
        renderer = self.services.renderer
        if not renderer.workers:
            self.set_status(503)
            self.set_header("Retry-After", "5")
        status = "ok" if renderer.workers else "no workers"
        self.set_header("Cache-Control", "no-store")
        self.write_json(
            {
                "status": status,
                "workers": renderer.workers,
                "route": renderer.route,
                "waiting": renderer.waiting,
            }
        )


class PageHandler(BaseHandler):
    """``/``: the web client's page."""

    def get(self) -> None:
        """Send the page."""
        page = static_folder() / "index.html"
        if not page.is_file():
            raise HTTPError(404, "the web client is not built here: run `make client`, or install the package with pip")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.number_viewer()
        self.finish(page.read_bytes())


class AssetHandler(StaticFileHandler):
    """``/assets/…``: scripts and styles, named by their content."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - Tornado's signature
        """Let browsers keep what can never change."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ARG002 - Tornado's signature
        """Send an error as JSON, like everything else here."""
        _, headers, body = error_response(None, status_code)
        self.clear_header("Server")
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body)


def static_folder() -> Path:
    """Folder of the built web client."""
    return Path(str(resources.files("visiomatic_dask").joinpath("static")))


def make_application(services: Services) -> Application:
    """Make the application."""
    common: dict[str, Any] = {"services": services}
    return Application(
        [
            (r"/", PageHandler, common),
            (r"/assets/(.*)", AssetHandler, {"path": str(static_folder() / "assets")}),
            (r"/(licenses\.md)", StaticFileHandler, {"path": str(static_folder())}),
            (r"/api", APIHandler, common),
            (r"/health", HealthHandler, common),
            (r"/events", EventsHandler, common),
            (r"/colormaps", ColormapsHandler, common),
            (r"/colormaps/([^/]+)\.([a-z]+)", StripHandler, common),
            (r"/cubes", CubesHandler, common),
            (rf"/cubes/(.+)/tiles/{_NUMBER}/{_NUMBER}/{_NUMBER}\.([a-z]+)", TileHandler, common),
            (rf"/cubes/(.+)/contours/{_NUMBER}/{_NUMBER}/{_NUMBER}\.geojson", ContourHandler, common),
            (r"/cubes/(.+)/region\.([a-z]+)", RegionHandler, common),
            (r"/cubes/(.+)/cutout\.fits", CutoutHandler, common),
            (r"/cubes/(.+)/sweeps", SweepsHandler, common),
            (r"/jobs/([A-Za-z0-9_-]{1,64})", JobHandler, common),
            (r"/jobs/([A-Za-z0-9_-]{1,64})/result", JobResultHandler, common),
            (r"/cubes/(.+)/values", ValuesHandler, common),
            (r"/cubes/(.+)/cuts", CutsHandler, common),
            (r"/cubes/(.+)/presets", PresetsHandler, common),
            (r"/cubes/(.+)/histogram", HistogramHandler, common),
            (r"/cubes/(.+)/legend\.([a-z]+)", LegendHandler, common),
            (r"/cubes/(.+)/wcs", WCSHandler, common),
            (r"/cubes/(.+)/world", WorldHandler, common),
            (r"/cubes/(.+)/pixels", PixelsHandler, common),
            (r"/cubes/(.+)/axes", AxesHandler, common),
            (r"/cubes/(.+)", CubeHandler, common),
        ],
        default_handler_class=NotFoundHandler,
        default_handler_args=common,
        compress_response=False,
        websocket_ping_interval=PING_INTERVAL,
        websocket_max_message_size=LARGEST_MESSAGE,
        log_function=lambda _: None,
    )
