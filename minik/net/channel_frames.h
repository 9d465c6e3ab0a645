// The channel framing of Kubernetes' WebSocket protocols: the first byte of each message names a
// channel, the rest is that channel's bytes. Binary, or base64 in text messages where the channel
// is the digit's character ("0SGVsbG8=").
//
//   v5.channel.k8s.io          binary, and [255, n] closes channel n
//   v4.channel.k8s.io          binary, a metav1.Status on the error channel
//   v4.base64.channel.k8s.io   the same in base64
//   channel.k8s.io, base64.channel.k8s.io, and no name at all: errors are plain text
//
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "minik/net/websocket.h"

namespace minik {

struct ChannelProtocol {
  bool base64 = false;
  bool has_status = true;  // the error channel carries a Status
  bool has_close = false;  // v5
};

// Nothing for a name that is none of the above.
std::optional<ChannelProtocol> channel_protocol(std::string_view name);

constexpr uint8_t kCloseChannel = 255;

struct ChannelMessage {
  uint8_t channel;
  std::string payload;
};

// Nothing for an empty message, or one that is not base64 where it must be.
std::optional<ChannelMessage> parse_channel_message(const ChannelProtocol& protocol,
                                                    std::string_view message);

// As one WebSocket message.
void send_on_channel(WebSocketConnection& connection, const ChannelProtocol& protocol,
                     uint8_t channel, std::string_view payload);

}  // namespace minik
