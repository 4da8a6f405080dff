"""Flower's page as Digitline serves it: kept up to date, red where something failed, and closed to other pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flower import app
from flower.app import Flower
from flower.views import monitor, tasks
from tornado.escape import json_encode
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.web import OutputTransform, RequestHandler, TemplateModule, authenticated

from core.settings import get_settings
from digitline import flower_columns
from digitline.flower_history import History
from digitline.loopback import is_loopback

_TEMPLATES = Path(__file__).resolve().parent / "templates"

#: What every answer says. A page that shows Flower in a frame could have its buttons pressed unseen.
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Page(Flower):  # type: ignore[misc]  # Flower has no types
    """Flower's application; `flower.command` starts it in place of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(transforms=[_Headers], ui_modules={"Template": _Live}, **options)

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> HTTPMessageDelegate | None:
        """Where there is no password, answer those alone who ask for this machine by its own name.

        A page of a stranger's may have a name of its own point to 127.0.0.1 (DNS rebinding), and would read all there is.
        """
        answerer: HTTPMessageDelegate | None = super().find_handler(request, **more)
        if not self.options.basic_auth and not is_loopback((request.host_name or "").strip("[]")):
            answerer = self.get_handler_delegate(request, _AskedByAnotherName)
        return answerer


def install() -> None:
    """Change Flower's own modules in this process, which is Flower's."""
    flower_columns.install()
    app.Events = History
    tasks.TASK_COLUMNS.update(flower_columns.COLUMNS)
    # It names workers and tasks, so it asks for the password as all else does.
    monitor.Metrics.get = authenticated(monitor.Metrics.get)


class _AskedByAnotherName(RequestHandler):
    def prepare(self) -> None:
        self.set_status(421)
        self.set_header("Content-Type", "text/plain")
        self.finish("Without DIGITLINE_FLOWER_AUTH this page is this machine's own: ask for localhost.\n")


class _Headers(OutputTransform):
    """Adds the headers, and takes those away by which Flower lets every page read it where it has no password."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        for name in [name for name in headers if name.startswith("Access-Control-")]:
            del headers[name]
        for name, value in _HEADERS.items():
            headers[name] = value
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


class _Live(TemplateModule):
    """Every page of Flower has its bar of links in a template of its own, and with it our script and style."""

    def embedded_javascript(self) -> str:
        page = f"var WEB_PAGE = {json_encode(get_settings().flower_web_url)};\n"
        return page + (_TEMPLATES / "flower.js").read_text(encoding="utf-8")

    def embedded_css(self) -> str:
        return (_TEMPLATES / "flower.css").read_text(encoding="utf-8")
