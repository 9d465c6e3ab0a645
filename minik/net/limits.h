// What bytes from outside may cost, each limit with its reason. Plain constants; options structs
// start from them, so that tests can shrink them.
#pragma once

#include <cstddef>

#include "control/base/time.h"

namespace minik {

// Bearer tokens and long selectors fit many times over; a request that needs more is an attack.
constexpr size_t kHttpHeaderBytesMax = 64 * 1024;
// A browser sends two dozen. Each costs us sixteen times its shortest text.
constexpr size_t kHttpHeadersMax = 256;
// What kube-apiserver accepts (its etcd limit with room for the encoding).
constexpr size_t kHttpBodyBytesMax = 3 * 1024 * 1024;
// Up to here a body is read from anybody; what is larger only from who may send it, because memory is spent before
// the request can be looked at. Nearly all objects are smaller.
constexpr size_t kHttpUnadmittedBodyBytesMax = 64 * 1024;
// Of all requests that are being read or answered together. Parsed, a body may take sixteen times its text.
constexpr size_t kHttpTotalBodyBytesMax = 128 * 1024 * 1024;
// Of answers that their clients do not take. Beyond it who has a part of it worth mentioning is cut off.
constexpr size_t kHttpTotalUnsentBytesMax = 256 * 1024 * 1024;
constexpr size_t kHttpUnsentBytesFree = 64 * 1024;
// A request that was pipelined behind one in work waits in memory up to here, then in the socket.
constexpr size_t kHttpPipelinedBytesMax = 64 * 1024;
// Each idle connection holds some 45 KiB (measured with 4,096 of them); kubectl, informers and tests need a few dozen.
// When there are this many, the one that has waited longest without a request makes room for a new one.
constexpr size_t kHttpConnectionsMax = 4096;
// New ones that may stand beside them until that has happened.
constexpr size_t kHttpConnectionsSpare = 32;
// kube-apiserver compresses from here on: below, the transfer costs less than the compression.
constexpr size_t kHttpGzipBytesMin = 128 * 1024;

// A TLS handshake and a request's head take milliseconds; who needs longer holds a slot on purpose.
constexpr Duration kHttpHandshakeTimeout = seconds(10);
constexpr Duration kHttpHeaderTimeout = seconds(32);
// Between two reads of a body, and between two successful writes of an answer.
constexpr Duration kHttpProgressTimeout = seconds(60);
// A whole body of 3 MiB takes a twentieth of this on a line of 10 Mbit/s; kube-apiserver gives a request as long.
constexpr Duration kHttpBodyTimeout = seconds(60);
// Go's clients keep idle connections for 90 s; the server waits longer, so that it never closes one
// while a request is on its way.
constexpr Duration kHttpIdleTimeout = seconds(120);
// After an answer that ends the connection, what the client still sends is read and dropped for
// this long: closing at once would reset the connection and lose the answer.
constexpr Duration kHttpLingerTimeout = seconds(2);

// What a watch or a log follower may lag behind before it is cut off (it comes again with its last
// resourceVersion). A burst of 10,000 pod events is about 20 MiB.
constexpr size_t kStreamBacklogBytesMax = 32 * 1024 * 1024;

// Warnings of one answer together, each said once, and the length that each is cut to where they are more, as
// kube-apiserver has it: an object may earn thousands.
constexpr size_t kApiWarningBytesMax = 4 * 1024;
constexpr size_t kApiWarningCutBytes = 256;

// Requests that may be in work at once, divided among the priority levels by their shares: kube-apiserver's 400
// reads and 200 writes. A long list takes a seat for each hundred objects, as there.
constexpr int64_t kApiSeats = 600;
constexpr int64_t kApiObjectsPerSeat = 100;
constexpr int64_t kApiSeatsPerRequestMax = 10;
// Requests that one turn of the control thread takes from its queues: about two milliseconds, after which timers and
// the cluster's own components have theirs.
constexpr int64_t kApiSeatsPerTurn = 64;
// Watches, followed logs, execs and port-forwards. The rest of the connections is for requests that end; no user
// takes the last thousand from the others.
constexpr size_t kLongRunningMax = 3072;
constexpr size_t kLongRunningPerUserMax = 2048;

// A watch or a long list is encoded as far ahead of its client as this and no further: what is not yet text costs
// references. More would only make a slow client's memory ours.
constexpr size_t kWatchSendBytesMax = 256 * 1024;
// What all watchers together may lag behind. Beyond it, those that lag at all are cut off, so that a thousand slow
// ones of different kinds hold no more than this.
constexpr size_t kWatchTotalBacklogBytesMax = 256 * 1024 * 1024;
// One turn of an I/O thread encodes no more of a list than this, a millisecond's work, before others have theirs.
constexpr size_t kListPieceBytes = 64 * 1024;
// Shorter lists are encoded in one piece and have a content-length.
constexpr size_t kListPiecesItemsMin = 64;

// One message of exec or port-forward; kubectl sends at most 32 KiB.
constexpr size_t kWebSocketMessageBytesMax = 1024 * 1024;
// A source (a process, a forwarded port) is read no further while this much waits for the client.
constexpr size_t kPumpBacklogBytesMax = 256 * 1024;
constexpr size_t kPumpReadBytes = 32 * 1024;
// The same for the body of a request that is passed on: who uploads in a thousand connections to an endpoint that
// takes nothing must not fill our memory.
constexpr size_t kPumpRequestBytesMax = 64 * 1024;

// Relayed connections (node ports, pods' ways out): each is two descriptors and up to two backlogs.
constexpr size_t kRelayConnectionsMax = 4096;
// Of one client: a pod that opens connections without end leaves most of them to the others.
constexpr size_t kRelayConnectionsOfOneMax = kRelayConnectionsMax / 4;
// What a dialler gives up after; a host that answers at all answers sooner.
constexpr Duration kRelayConnectTimeout = seconds(10);

// Name queries on their way to upstream servers: a burst of start-ups; beyond it SERVFAIL is quicker help.
constexpr size_t kDnsForwardsMax = 1024;
// DNS over TCP is for the rare long answer.
constexpr size_t kDnsTcpClientsMax = 256;
constexpr Duration kDnsTcpIdleTimeout = seconds(10);
// Answers that a client leaves in its socket; beyond it no further query of it is read.
constexpr size_t kDnsTcpBacklogBytesMax = 64 * 1024;

// The Ingress: a body up to here, what nginx' controller takes at all, is held until it is whole, so that a slow visitor
// holds no endpoint; a larger one, and one of unknown length, goes on as it comes.
constexpr size_t kIngressHeldBodyBytesMax = 1024 * 1024;
// An endpoint is on this machine: it answers a connection at once, or is on its way out.
constexpr Duration kIngressConnectTimeout = seconds(3);
// Between two pieces of an answer, or until an endpoint takes more of a request.
constexpr Duration kIngressAnswerTimeout = seconds(60);

// Discovery and OpenAPI of another API server: a kube-apiserver's own OpenAPI v2 is 4 MiB.
constexpr size_t kExtensionDocumentBytesMax = 8 * 1024 * 1024;

// SPDY: headers after inflation, streams open at once.
constexpr size_t kSpdyHeaderBytesMax = 64 * 1024;
constexpr size_t kSpdyStreamsMax = 1024;

}  // namespace minik
