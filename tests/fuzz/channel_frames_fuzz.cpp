// WebSocket frames and the channel messages inside them. The first byte is the piece size, the
// second picks the channel protocol.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/net/channel_frames.h"
#include "minik/net/exec_channels.h"
#include "minik/net/websocket.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using minik::WebSocketCodec;
  if (size < 2) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  constexpr std::string_view kProtocols[] = {"v5.channel.k8s.io", "v4.base64.channel.k8s.io", ""};
  const auto protocol = minik::channel_protocol(kProtocols[data[1] % 3]);
  CHECK(protocol);
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  constexpr size_t kMessageMax = 300;
  WebSocketCodec codec(WebSocketCodec::Peer::kClient, kMessageMax);
  minik::ResizeReader resize;
  for (size_t at = 0; at < input.size(); at += piece) {
    const auto error =
        codec.receive(input.substr(at, piece), [&](const WebSocketCodec::Message& message) {
          CHECK(message.payload.size() <= kMessageMax);
          const auto on_channel = minik::parse_channel_message(*protocol, message.payload);
          if (on_channel && on_channel->channel == 4) {
            resize.feed(on_channel->payload, [](uint16_t, uint16_t) {});
          }
          return message.opcode != minik::WebSocketOpcode::kClose;
        });
    if (error) {
      CHECK(*error == 1002 || *error == 1009) << *error;
      return 0;
    }
  }
  return 0;
}
