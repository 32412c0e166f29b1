"""A WSGI service that keeps what it was handed.

wsgiref hands on every header name with `-` turned into `_`. `python3 wsgi.py` prints two ports, and serves until its
standard input ends: requests on the first, and on the second a list of all that reached the first.
"""

import json
import sys
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

seen = []


def application(environ, start_response):
    seen.append(
        {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            "query": environ["QUERY_STRING"],
            "headers": {name: value for name, value in environ.items() if name.startswith("HTTP_")},
        }
    )
    start_response("200 OK", [("content-length", "4")])
    return [b"done"]


def reached(_environ, start_response):
    body = json.dumps(seen).encode()
    start_response("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def address_string(self):
        return self.client_address[0]


servers = [make_server("127.0.0.1", 0, app, Server, Quiet) for app in (application, reached)]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(*(server.server_port for server in servers), flush=True)
sys.stdin.read()
