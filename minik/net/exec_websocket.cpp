#include <utility>

#include "control/object/json.h"
#include "minik/net/exec_channels.h"
#include "minik/net/websocket.h"

namespace minik {
namespace {

enum Channel : uint8_t { kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4 };

class WebSocketExec final : public ExecChannels,
                            public std::enable_shared_from_this<WebSocketExec> {
 public:
  WebSocketExec(std::shared_ptr<WebSocketConnection> connection, ChannelProtocol protocol,
                RemoteCommandOptions options)
      : connection_(std::move(connection)), protocol_(protocol), options_(options) {}

  void start(Events events) override {
    events_ = std::make_shared<Events>(std::move(events));
    connection_->start(
        {.on_message = [self = shared_from_this()](
                           WebSocketOpcode, std::string_view message) { self->received(message); },
         .on_close = [self = shared_from_this()] { self->closed(); },
         .on_drain =
             [self = shared_from_this()] {
               const auto current = self->events_;
               if (current && current->on_drain) current->on_drain();
             }});
    // An empty message on the first channel that the server writes tells the client that it stands.
    put(options_.stdout_open ? kStdout : options_.stderr_open ? kStderr : kError, {});
    if (const auto current = events_; current && current->on_ready) current->on_ready();
  }

  void send(ExecOutput output, std::string_view bytes) override {
    put(output == ExecOutput::kStdout ? kStdout : kStderr, bytes);
  }
  size_t backlog() const override { return connection_->backlog(); }
  void pause_stdin() override { connection_->pause_reading(); }
  void resume_stdin() override { connection_->resume_reading(); }

  void finish(const control::Value& status) override {
    const std::string text =
        protocol_.has_status ? control::to_json(status) : plain_error_text(status);
    if (!text.empty()) put(kError, text);
    connection_->close(kWebSocketNormalClosure, {});
  }
  const std::shared_ptr<EventLoop>& loop() const override { return connection_->loop(); }

 private:
  void put(uint8_t channel, std::string_view bytes) {
    send_on_channel(*connection_, protocol_, channel, bytes);
  }

  void received(std::string_view text) {
    const auto message = parse_channel_message(protocol_, text);
    if (!message) return connection_->close(kWebSocketProtocolError, "not a channel message");
    const auto events = events_;
    if (!events) return;
    if (message->channel == kStdin && options_.stdin_open) {
      if (events->on_stdin && !message->payload.empty()) events->on_stdin(message->payload);
    } else if (message->channel == kResize && options_.tty) {
      if (events->on_resize) resize_.feed(message->payload, events->on_resize);
    } else if (message->channel == kCloseChannel && protocol_.has_close) {
      const bool is_stdin = message->payload.size() == 1 && message->payload[0] == kStdin;
      if (is_stdin && events->on_stdin_end) events->on_stdin_end();
    }
  }

  void closed() {
    const auto events = std::exchange(events_, nullptr);
    if (events && events->on_close) events->on_close();
  }

  const std::shared_ptr<WebSocketConnection> connection_;
  const ChannelProtocol protocol_;
  const RemoteCommandOptions options_;
  // Shared, so that the end of the session does not destroy the callback that brought it about.
  std::shared_ptr<Events> events_;
  ResizeReader resize_;
};

}  // namespace

std::shared_ptr<ExecChannels> exec_over_websocket(std::shared_ptr<WebSocketConnection> connection,
                                                  ChannelProtocol protocol,
                                                  RemoteCommandOptions options) {
  return std::make_shared<WebSocketExec>(std::move(connection), protocol, options);
}

}  // namespace minik
