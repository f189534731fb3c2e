"""A bare Tornado, py3bt_tracker's own engine, which answers everything with a constant.

Prints where it listens, as the other contenders of `make bench` do. The argument is the number of
bytes of an answer.
"""

import sys

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web


class Constant(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain")
        self.write(BODY)

    def compute_etag(self):
        # py3bt_tracker's answers differ each time, so none would ever match.
        return None


BODY = b"x" * int(sys.argv[1])
sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
server = tornado.httpserver.HTTPServer(
    tornado.web.Application([(r".*", Constant)], log_function=lambda handler: None)
)
server.add_sockets(sockets)
print("127.0.0.1:%d" % sockets[0].getsockname()[1], flush=True)
tornado.ioloop.IOLoop.current().start()
