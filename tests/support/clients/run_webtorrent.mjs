// A WebTorrent that shares one torrent, told by JSON on its command line:
//
//     modules    the directory that npm has installed it into
//     directory  where the data is, or comes to be
//     port       its own
//     torrent    a .torrent file, or a magnet link
//
// Prints what its tracker says. Ends when its standard input does.

import { register } from 'node:module'
import { pathToFileURL } from 'node:url'

// Its WebRTC is a native library that npm's scripts download, or compile, from elsewhere. Without
// one it speaks to the clients of the internet by TCP all the same.
const none = 'export const RTCPeerConnection = undefined, RTCSessionDescription = undefined, ' +
  'RTCIceCandidate = undefined'
const asDataUrl = text => 'data:text/javascript,' + encodeURIComponent(text)
register(asDataUrl(`export const resolve = (name, context, next) =>
  name === 'webrtc-polyfill'
    ? { url: ${JSON.stringify(asDataUrl(none))}, shortCircuit: true }
    : next(name, context)`))

const told = JSON.parse(process.argv[2])
const entry = pathToFileURL(`${told.modules}/node_modules/webtorrent/index.js`)
const { default: WebTorrent } = await import(entry)

// Nothing but trackers.
const client = new WebTorrent({
  dht: false,
  lsd: false,
  natPmp: false,
  natUpnp: false,
  torrentPort: told.port,
  utPex: false,
  utp: false
})
client.on('error', error => console.log(`error: ${error.message}`))
const torrent = client.add(told.torrent, { path: told.directory })
for (const event of ['infoHash', 'metadata', 'ready', 'warning', 'error', 'trackerAnnounce', 'wire', 'done', 'noPeers']) {
  torrent.on(event, what => console.log(event, what?.message ?? what?.remoteAddress ?? ''))
}

process.stdin.on('end', () => process.exit())
process.stdin.resume()
