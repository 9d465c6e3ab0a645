#include "minik/net/channel_frames.h"

#include "control/base/text.h"

namespace minik {

std::optional<ChannelProtocol> channel_protocol(std::string_view name) {
  if (name == "v5.channel.k8s.io") return ChannelProtocol{.has_close = true};
  if (name == "v4.channel.k8s.io") return ChannelProtocol{};
  if (name == "v4.base64.channel.k8s.io") return ChannelProtocol{.base64 = true};
  if (name == "channel.k8s.io" || name.empty()) return ChannelProtocol{.has_status = false};
  if (name == "base64.channel.k8s.io") return ChannelProtocol{.base64 = true, .has_status = false};
  return std::nullopt;
}

std::optional<ChannelMessage> parse_channel_message(const ChannelProtocol& protocol,
                                                    std::string_view message) {
  if (message.empty()) return std::nullopt;
  const auto first = static_cast<uint8_t>(message.front());
  message.remove_prefix(1);
  if (!protocol.base64) return ChannelMessage{first, std::string(message)};
  auto payload = from_base64(message);
  if (!payload || first < '0') return std::nullopt;
  return ChannelMessage{static_cast<uint8_t>(first - '0'), *std::move(payload)};
}

void send_on_channel(WebSocketConnection& connection, const ChannelProtocol& protocol,
                     uint8_t channel, std::string_view payload) {
  std::string message;
  message.reserve(1 + payload.size());
  if (protocol.base64) {
    message += static_cast<char>('0' + channel);
    message += to_base64(payload);
    connection.send(WebSocketOpcode::kText, message);
  } else {
    message += static_cast<char>(channel);
    message += payload;
    connection.send(WebSocketOpcode::kBinary, message);
  }
}

}  // namespace minik
