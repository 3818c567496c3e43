"""A web page for the accelerator of this package, with nothing but Python's own http.server; Python 3.8 or later.

    python -m accelerator                         # check the package on this board, and measure
    python -m accelerator --serve                 # http://127.0.0.1:8080, for this machine alone
    python -m accelerator --serve --host 0.0.0.0  # for everybody who reaches this machine: no password, no encryption

    GET  /          the page, serve.html
    GET  /facts     what the accelerator is: shape and kind of its images, classes, a few images with known logits
    GET  /status    the counters of its status page, and what was served
    POST /classify  images, of the types that `service` names -> classes and logits
    POST /measure   images a second and latency, on random images

Every refusal is {"error": one sentence}. A request that another site makes a browser send is refused: by its type, its
origin, and a host name that is not this machine's.
"""

import argparse
import base64
import hashlib
import json
import re
import socket
import sys
import threading
import traceback
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path


def _of_package(name: str):
    """A module that lies beside this file, in a package as in signflow."""
    return import_module(f"{__package__}.{name}" if __package__ else name)


service = _of_package("service")
HERE = Path(__file__).parent
MOST_CONNECTIONS, SILENCE = 32, 20.0
"""At a time; seconds that one may say nothing."""
DRAINED = 4 * service.MOST_BYTES
"""Bytes of a request that is too long which are read all the same: a browser reads no answer before it has sent all."""
EVERYBODY = """\
Whoever reaches {host} can use the accelerator now: there is no password, and images travel unencrypted.
Without --host only this machine can, and who logs in with ssh -L {port}:localhost:{port}."""


class Handler(BaseHTTPRequestHandler):
    """HTTP around a `service.Service`, the server's ``site``."""

    protocol_version, server_version, sys_version = "HTTP/1.1", "signflow", ""
    timeout = SILENCE

    def do_GET(self) -> None:
        """The page, and what it asks for."""
        if self.path == "/":
            self._send(200, "text/html; charset=utf-8", self.server.page)
        else:
            site = self.server.site
            self._answer({"/facts": lambda body: site.facts, "/status": lambda body: site.status()})

    def do_POST(self) -> None:
        """Images, or the wish to measure."""
        site, kind = self.server.site, self.headers.get("Content-Type", "")
        self._answer({"/classify": lambda body: site.classify(kind, body), "/measure": lambda body: site.measure()})

    def log_message(self, *words) -> None:
        """Nothing: the page shows what was served."""

    def _answer(self, known: dict) -> None:
        count = self.server.site.count
        try:
            self._check_origin()
            body = self._body()
            if self.path not in known:
                raise service.Refused(404, "there is nothing at this address")
            answer = known[self.path](body)
            if self.command == "POST":
                count("requests")
            self._send(200, "application/json", json.dumps(answer).encode())
        except service.Refused as refused:
            count("refused")
            self._refuse(*refused.args)
        except OSError:
            raise  # the connection is gone
        except Exception as error:
            count("faults")
            traceback.print_exc()
            self._refuse(500, f"the server failed ({type(error).__name__}: {error}); its terminal says where")

    def _refuse(self, status: int, text: str) -> None:
        self._send(status, "application/json", json.dumps({"error": text}).encode())

    def _check_origin(self) -> None:
        """Another site's page cannot speak to the board through somebody's browser."""
        host = self.headers.get("Host", "")
        if not self.server.is_own(host):
            raise service.Refused(421, f"{host!r:.100} is no name of this machine: use its address")
        if re.sub("^https?://", "", self.headers.get("Origin", host)) != host:
            raise service.Refused(403, "this request comes from the page of another site")

    def _body(self) -> bytes:
        """The bytes of a POST, as many as it says, of a type that no form can send."""
        if self.command != "POST":
            return b""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length):
            self.close_connection = True
            raise service.Refused(411, "a request says how many bytes it has (Content-Length)")
        if int(length) > service.MOST_BYTES:
            self.close_connection = True
            for _ in range(min(int(length), DRAINED) >> 16):
                self.rfile.read(1 << 16)
            most = f"at most {service.MOST_BYTES:,} are taken: send fewer images"
            raise service.Refused(413, f"{int(length):,} bytes in one request, {most}")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the client has gone")
        if self.headers.get("Content-Type") not in (service.RAW, service.NPY):
            raise service.Refused(
                415, f"images come as {service.RAW} (a byte a pixel) or {service.NPY} (a file of numpy.save)"
            )
        return body

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind, "Content-Length": len(content), "Cache-Control": "no-store",
            "Content-Security-Policy": self.server.policy, "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer", "Permissions-Policy": "camera=(self)",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, str(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Listens on ``host`` and ``port`` (0: any free one), no more than `MOST_CONNECTIONS` at a time."""

    daemon_threads = True

    def __init__(self, site, host: str = "127.0.0.1", port: int = 8080):
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.site, self.page = site, (HERE / "serve.html").read_bytes()
        name = socket.gethostname().lower()
        self._names = {"localhost", host.lower(), name, f"{name}.local"}
        self.policy = (
            f"default-src 'none'; script-src {_hash(self.page, b'script')}; style-src {_hash(self.page, b'style')}; "
            "connect-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        super().__init__((host, port), Handler)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host, port = self.server_address[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.server_address[0].split("%")[0]).is_loopback

    def is_own(self, host: str) -> bool:
        """Whether the Host of a request is an address or a name of this machine: a foreign name that leads here is a
        trick (DNS rebinding).
        """
        name = re.sub(r":\d+$", "", host.lower())
        try:
            return bool(ip_address(name.strip("[]")))
        except ValueError:
            return name in self._names

    def process_request(self, request, client_address) -> None:
        """In a thread of its own, if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address) -> None:
        """As inherited; counted."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request, client_address) -> None:
        """A browser that has gone is no error; any other is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _hash(page: bytes, tag: bytes) -> str:
    """The only script or style that a browser may take from the page, by its SHA-256."""
    text = re.search(b"<%b>(.*?)</%b>" % (tag, tag), page, re.DOTALL)[1]
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"


def main(arguments=None) -> None:
    """The command `python -m accelerator`."""
    parser = argparse.ArgumentParser("python -m accelerator", description="Check a package on its board, and measure.")
    parser.add_argument("--serve", action="store_true", help="then serve a web page")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on [%(default)s: this machine alone]")
    parser.add_argument("--port", type=int, default=8080, help="[%(default)s]; 0: a free one")
    parser.add_argument("--device", default="/dev/ttyUSB0", help="serial port of a board that has one [%(default)s]")
    parser.add_argument("--signers", help="file of public keys, one of which must have signed the package")
    given = parser.parse_args(arguments)
    driver = _of_package("accelerator")
    if not (HERE / "accel.json").exists():
        parser.error(f"{HERE} is no package: unpack one, and start this in its folder")
    try:
        facts = json.loads((HERE / "accel.json").read_text())
        bitfile, serial = HERE / f"{facts['name']}.bit", facts["package"]["link"] == "serial_link.py"
        link = _of_package("serial_link").SerialLink(given.device) if serial else None
        with driver.Accelerator(bitfile, link, signers=given.signers) as accelerator:
            site = service.Service(accelerator, HERE)
            print(f"{facts['name']} on {facts['board']}: every check passed\n{site.measure()['text']}", flush=True)
            if given.serve:
                serve(site, given.host, given.port)
    except (driver.AcceleratorError, service.Refused, OSError) as error:
        sys.exit(str(error.args[-1] if isinstance(error, service.Refused) else error))


def serve(site, host: str, port: int) -> None:
    """Serve ``site`` until Ctrl-C. OSError when the address cannot be had."""
    with Server(site, host, port) as server:
        if not server.loopback:
            print(EVERYBODY.format(host=server.address, port=server.server_port))
        print(f"{server.address}   (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
