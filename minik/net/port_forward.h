// kubectl port-forward: many TCP connections through one upgraded HTTP connection.
//
//   kubectl 1.30+  WebSocket, SPDY/3.1+portforward.k8s.io: SPDY frames inside binary messages
//   older kubectl  SPDY/3.1 on the bare connection, portforward.k8s.io
//   others         WebSocket, v4.channel.k8s.io with ?ports=: two channels for each port
//
// In SPDY each forwarded connection is a pair of streams with the headers streamtype (error, data),
// port and requestid; the error stream carries one text when it failed, else only its end. In the
// channel protocol port i has the channels 2i (data) and 2i+1 (error), and each begins with the
// port as two bytes, low byte first.
//
// serve_port_forward() answers the request and then reaches the pod through `connect`, once for
// each pair. Everything runs on the connection's loop; a side that is slow pauses the other. It
// ends with the client's connection.
#pragma once

#include <cstdint>
#include <functional>

#include "control/base/result.h"
#include "minik/net/http_message.h"
#include "minik/net/responder.h"
#include "minik/net/unique_fd.h"

namespace minik {

// Connects to a port inside the pod. Called on the loop; may answer from any thread.
using ConnectPort =
    std::function<void(uint16_t port, std::function<void(Result<UniqueFd>)> connected)>;

void serve_port_forward(const HttpRequest& request, const Responder& responder,
                        ConnectPort connect);

}  // namespace minik
