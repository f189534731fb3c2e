"""A libtorrent that shares one torrent, told by JSON on its command line:

    directory  where the data is, or comes to be
    port       its own
    torrent    a .torrent file, or a magnet link
    settings   those of libtorrent that are not as below

Prints what its trackers say. Ends when its standard input does.
"""

import json
import sys
import threading

import libtorrent

told = json.loads(sys.argv[1])
settings = {
    "listen_interfaces": "0.0.0.0:%d,[::]:%d" % (told["port"], told["port"]),
    # Nothing but trackers, all of them.
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "announce_to_all_tiers": True,
    "announce_to_all_trackers": True,
    "alert_mask": libtorrent.alert.category_t.tracker_notification
    | libtorrent.alert.category_t.error_notification
    | libtorrent.alert.category_t.status_notification,
}
settings.update(told["settings"])
session = libtorrent.session(settings)
if told["torrent"].startswith("magnet:"):
    parameters = libtorrent.parse_magnet_uri(told["torrent"])
else:
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(told["torrent"])
parameters.save_path = told["directory"]
parameters.flags |= libtorrent.torrent_flags.disable_pex
parameters.flags &= ~(
    libtorrent.torrent_flags.paused | libtorrent.torrent_flags.auto_managed
)
session.add_torrent(parameters)


def report():
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            message = alert.message()
            # By addresses of this machine that have no way to it; again and again.
            if "skipping tracker announce" not in message:
                print(type(alert).__name__, message, flush=True)


threading.Thread(target=report, daemon=True).start()
sys.stdin.read()
