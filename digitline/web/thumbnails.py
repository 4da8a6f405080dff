"""Pictures of images, small, and kept: in memory by what was scored, and by browsers."""

from __future__ import annotations

import base64
from collections import OrderedDict
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import TypeAlias

from anyio import CapacityLimiter, sleep, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.ledger import gallery
from core.ledger.gallery import Place, Placed
from core.vocabulary import Reason
from digitline.pictures import Picture
from digitline.web.darkroom import PROCESSES, Answer, Darkroom, NoPicture
from digitline.web.rendering import line_of, static

#: Bytes of pictures that are kept in memory.
_KEPT_BYTES = 32 * 1024 * 1024
#: Seconds for which a browser may show a picture again without asking: of the very bytes that were scored, which its
#: address names, for ever; of others, whose file may change, as long as somebody looks at a page.
_FOR_EVER, _FOR_A_WHILE = 365 * 86_400, 60

#: Seconds that pass between the move of a drop and its note in the ledger, and some more.
_FILING = 0.3

#: The pictures of an image, by the last part of their address: as it came, and as the network saw it.
_SIDES = ("original", "prepared")

#: An image and the bytes of it that were scored.
_Key: TypeAlias = tuple[Place, str | None]


class Thumbnails:
    """Makes pictures in the darkroom, and keeps those that were looked at last."""

    def __init__(self, darkroom: Darkroom) -> None:
        #: Where pictures and explanations are made.
        self.darkroom = darkroom
        self._kept: OrderedDict[_Key, Picture] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self._limiter: CapacityLimiter | None = None

    async def picture(self, image: Placed) -> Picture:
        """The pictures of an image, or a note that says why there is none."""
        if image.result.reason is Reason.QUARANTINED:
            return Picture(note="No picture: looking at it has ended workers.")
        key = image.place, image.result.sha256
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return await to_thread.run_sync(self._make, key, image, limiter=self._waiting())

    async def explanation(self, image: Placed, model: str, *, split: bool) -> Answer:
        """As `Darkroom.explanation`.

        Raises:
            NoPicture: as it does.
        """
        if image.result.reason is Reason.QUARANTINED:
            raise NoPicture("No picture: looking at it has ended workers.")
        explain = partial(self.darkroom.explanation, image, model, split=split)
        return await to_thread.run_sync(explain, limiter=self._waiting())

    def _waiting(self) -> CapacityLimiter:
        # Of threads of its own: those who wait for a picture must not keep other pages waiting.
        if self._limiter is None:
            self._limiter = CapacityLimiter(PROCESSES)
        return self._limiter

    def _make(self, key: _Key, image: Placed) -> Picture:
        try:
            picture = self.darkroom.picture(image)
        except NoPicture as error:
            # Kept: what ended a process once is not tried again and again.
            return self._keep(key, Picture(note=str(error)))
        # Not kept: a file that is gone may only be on its way to `done/`.
        return picture if picture.original is None else self._keep(key, picture)

    def _keep(self, key: _Key, picture: Picture) -> Picture:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = picture
                self._bytes += _size(picture)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return picture


def _size(picture: Picture) -> int:
    return sum(len(text or "") for text in (picture.original, picture.prepared, picture.note)) + 200


async def _show(request: Request) -> Response:
    place = Place(request.path_params["batch"], request.path_params["position"])
    image = await to_thread.run_sync(gallery.image, line_of(request).database, place)
    sha256, side = image.result.sha256, request.path_params["side"]
    if side not in _SIDES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    tag = f'"{sha256}-{side}"'
    if sha256 is not None and request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    picture = await thumbnails_of(request).picture(image)
    if picture.original is None and (moved := await moved_meanwhile(request, image)) is not None:
        picture = await thumbnails_of(request).picture(moved)
    url = picture.original if side == "original" else picture.prepared
    if url is None:
        return RedirectResponse(static("no-picture.svg"))
    headers = {"Cache-Control": f"private, max-age={_FOR_A_WHILE}"}
    if sha256 is not None and picture.note is None:
        named = request.query_params.get("v") == version(image)
        headers = {"Cache-Control": f"private, max-age={_FOR_EVER if named else _FOR_A_WHILE}", "ETag": tag}
    return Response(base64.b64decode(url.partition(",")[2]), media_type="image/png", headers=headers)


async def moved_meanwhile(request: Request, image: Placed) -> Placed | None:
    """The image where it lies now, if its drop was filed since it was looked up; a moment passes between move and note."""
    now = await to_thread.run_sync(gallery.image, line_of(request).database, image.place)
    if now.source == image.source and now.unfiled:
        await sleep(_FILING)
        now = await to_thread.run_sync(gallery.image, line_of(request).database, image.place)
    return now if now.source != image.source else None


def thumbnails_of(request: Request) -> Thumbnails:
    """The thumbnails of the application."""
    found: Thumbnails = request.app.state.thumbnails
    return found


def version(image: Placed) -> str:
    """What stands for an image's bytes in the address of its pictures."""
    return (image.result.sha256 or "")[:16]


routes = [Route("/images/{batch:int}/{position:int}/{side:str}.png", _show)]
