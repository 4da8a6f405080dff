"""What a browser's form sends, taken apart as it comes (RFC 7578), so that an upload is never held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from digitline.web.rendering import BadRequest

#: Bytes of a field that is no file at most.
_LONGEST_FIELD = 4096
#: Fields that are kept: the name of the whole, and the path of the file that comes next, for browsers send a file's last
#: name alone.
NAME, PATH = "name", "path"


class Receiver(Protocol):
    """Takes files, one after the other."""

    def begin(self, given: str) -> None:
        """A file begins; its path as the browser sends it."""

    def write(self, data: bytes) -> None:
        """It goes on."""

    def end(self) -> None:
        """It ends."""


class Multipart:
    """Takes a form apart: its files go to the receiver, the two fields that mean something are kept."""

    def __init__(self, content_type: str, receiver: Receiver) -> None:
        """Begin.

        Args:
            content_type: header of the request.
            receiver: of the files.

        Raises:
            BadRequest: it is no form that may hold files.
        """
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise BadRequest("An upload must be a form with files.")
        #: What `NAME` and `PATH` hold; of one that comes again, the last.
        self.fields: dict[str, str] = {}
        self._receiver = receiver
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name, self._text = "", b""
        self._is_file = self._ended = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add_to_header(data[start:end], b""),
            "on_header_value": lambda data, start, end: self._add_to_header(b"", data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": lambda data, start, end: self._add(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._end_all,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise BadRequest("An upload must be a form with files.") from error

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            BadRequest: they make no sense.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadRequest("The upload is garbled.") from error

    def finish(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            BadRequest: it was cut off.
        """
        if not self._ended:
            raise BadRequest("The upload was broken off; nothing of it stays.")

    def _begin(self) -> None:
        self._headers = {}
        self._header = b"", b""
        self._text = b""

    def _add_to_header(self, name: bytes, value: bytes) -> None:
        self._header = self._header[0] + name, self._header[1] + value

    def _end_header(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if self._is_file:
            named = options[b"filename"].decode("utf-8", "replace")
            # Where the page has a script, it says before each file in which folder that lay.
            self._receiver.begin(self.fields.pop(PATH, "") or named)

    def _add(self, data: bytes) -> None:
        if self._is_file:
            self._receiver.write(data)
            return
        self._text += data
        if len(self._text) > _LONGEST_FIELD:
            raise BadRequest(f"The field {self._name!r} is too long.")

    def _end(self) -> None:
        if self._is_file:
            self._receiver.end()
        elif self._name in (NAME, PATH):
            self.fields[self._name] = self._text.decode("utf-8", "replace")

    def _end_all(self) -> None:
        self._ended = True
