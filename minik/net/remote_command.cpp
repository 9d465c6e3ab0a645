#include "minik/net/remote_command.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/api/options.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/net/exec_channels.h"
#include "minik/net/fd_channel.h"
#include "minik/net/stream_upgrade.h"

namespace minik {
namespace {

using control::Value;

// After the end of the process, how long its output may stay open (a child that went to the
// background holds the pipe) before the outcome is told all the same.
constexpr Duration kOutputGrace = milliseconds(500);

Value status_value(const ExecExit& exit) {
  if (exit.failure.empty() && exit.exit_code == 0) {
    return Value::map({{"metadata", Value::empty_map()}, {"status", "Success"}});
  }
  if (!exit.failure.empty()) {
    return Value::map({{"metadata", Value::empty_map()},
                       {"status", "Failure"},
                       {"message", exit.failure},
                       {"reason", "InternalError"},
                       {"code", 500}});
  }
  const std::string code = cat(exit.exit_code);
  const Value cause = Value::map({{"reason", "ExitCode"}, {"message", code}});
  return Value::map({{"metadata", Value::empty_map()},
                     {"status", "Failure"},
                     {"message", cat("command terminated with non-zero exit code: ", code)},
                     {"reason", "NonZeroExitCode"},
                     {"details", Value::map({{"causes", Value::array({cause})}})}});
}

// One session, kept alive by the callbacks of its channels and of its process.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<ExecChannels> channels, ExecStart start)
      : channels_(std::move(channels)), start_(std::move(start)), grace_(*channels_->loop()) {}

  void begin() {
    const auto self = shared_from_this();
    channels_->start({.on_ready = [self] { self->start_process(); },
                      .on_stdin = [self](std::string_view bytes) { self->to_process(bytes); },
                      .on_stdin_end = [self] { self->end_stdin(); },
                      .on_resize =
                          [self](uint16_t rows, uint16_t columns) {
                            self->size_ = {rows, columns};
                            if (self->io_.resize) self->io_.resize(rows, columns);
                          },
                      .on_drain = [self] { self->resume_output(); },
                      .on_close = [self] { self->end(); }});
  }

 private:
  void start_process() {
    start_([self = shared_from_this()](Result<ExecIo> started) {
      // Shared, because a posted task must be copyable.
      auto holder = std::make_shared<Result<ExecIo>>(std::move(started));
      self->channels_->loop()->post([self, holder] { self->started(std::move(*holder)); });
    });
    start_ = nullptr;
  }

  void started(Result<ExecIo> result) {
    if (!result) return finish({.failure = result.error().message});
    io_ = *std::move(result);
    if (over_) return release();  // the client did not wait
    const auto self = shared_from_this();
    EventLoop& loop = *channels_->loop();
    if (io_.pty_fd) {
      input_ = FdChannel::open(loop, std::move(io_.pty_fd));
      outputs_[0] = input_;
    } else {
      if (io_.stdin_fd) input_ = FdChannel::open(loop, std::move(io_.stdin_fd));
      if (io_.stdout_fd) outputs_[0] = FdChannel::open(loop, std::move(io_.stdout_fd));
      if (io_.stderr_fd) outputs_[1] = FdChannel::open(loop, std::move(io_.stderr_fd));
    }
    if (input_ && input_ != outputs_[0]) input_->start(input_events());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i]) continue;
      FdChannel::Events events = input_ == outputs_[i] ? input_events() : FdChannel::Events{};
      events.on_bytes = [this, i](std::string_view bytes) { to_client(i, bytes); };
      events.on_end = [this, self, i] { output_ended(i); };
      outputs_[i]->start(std::move(events));
      outputs_[i]->resume_reading();
    }
    if (size_ && io_.resize) io_.resize(size_->first, size_->second);
    pass_early_input();
    CHECK(io_.on_exit) << "a process without an end";
    io_.on_exit([weak = weak_from_this(), loop = channels_->loop()](const ExecExit& exit) {
      loop->post([weak, exit] {
        if (const auto session = weak.lock()) session->exited(exit);
      });
    });
  }

  // What the client sent before the process stood.
  void pass_early_input() {
    running_ = true;
    if (input_) input_->write(std::exchange(early_stdin_, {}));
    if (stdin_ended_) end_stdin();
    const bool waits = input_ && input_->backlog() != 0;
    if (!waits && std::exchange(stdin_paused_, false)) channels_->resume_stdin();
  }

  FdChannel::Events input_events() {
    return {.on_drain =
                [this] {
                  if (std::exchange(stdin_paused_, false)) channels_->resume_stdin();
                },
            .on_broken =
                [this] {
                  // The process closed its stdin: the rest of the client's input goes nowhere.
                  stdin_ended_ = true;
                  if (std::exchange(stdin_paused_, false)) channels_->resume_stdin();
                }};
  }

  void to_process(std::string_view bytes) {
    if (stdin_ended_ || over_) return;
    size_t waiting;
    if (input_) {
      input_->write(bytes);
      waiting = input_->backlog();
    } else {
      if (running_) return;
      early_stdin_ += bytes;
      waiting = early_stdin_.size();
    }
    if (waiting > kPumpBacklogBytesMax && !std::exchange(stdin_paused_, true)) {
      channels_->pause_stdin();
    }
  }

  void end_stdin() {
    stdin_ended_ = true;
    if (input_) input_->end_writing();
  }

  void to_client(size_t output, std::string_view bytes) {
    channels_->send(output == 0 ? ExecOutput::kStdout : ExecOutput::kStderr, bytes);
    if (channels_->backlog() <= kPumpBacklogBytesMax) return;
    output_paused_ = true;
    for (const auto& channel : outputs_) {
      if (channel) channel->pause_reading();
    }
  }

  void resume_output() {
    if (over_ || !std::exchange(output_paused_, false)) return;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i] && !ended_[i]) outputs_[i]->resume_reading();
    }
  }

  void output_ended(size_t output) {
    ended_[output] = true;
    if (exit_) finish_when_read();
  }

  void exited(const ExecExit& exit) {
    exit_ = exit;
    finish_when_read();
  }

  void finish_when_read() {
    const bool all_read = (!outputs_[0] || ended_[0]) && (!outputs_[1] || ended_[1]);
    if (all_read) return finish(*exit_);
    if (grace_.armed()) return;
    grace_.arm(kOutputGrace, [this] {
      // A client that is slow to read is not a process that keeps its output open.
      if (output_paused_) return finish_when_read();
      finish(*exit_);
    });
  }

  void finish(const ExecExit& exit) {
    if (over_) return;
    const auto self = shared_from_this();
    channels_->finish(status_value(exit));
    end();
  }

  void end() {
    if (std::exchange(over_, true)) return;
    release();
  }

  void release() {
    grace_.cancel();
    if (input_) input_->close();
    for (const auto& channel : outputs_) {
      if (channel) channel->close();
    }
    if (const auto close = std::exchange(io_.close, nullptr)) close();
    io_ = {};
  }

  const std::shared_ptr<ExecChannels> channels_;
  ExecStart start_;
  ScopedTimer grace_;
  ExecIo io_;
  std::shared_ptr<FdChannel> input_;
  std::array<std::shared_ptr<FdChannel>, 2> outputs_;  // stdout (or the terminal), stderr
  std::array<bool, 2> ended_{};
  std::optional<ExecExit> exit_;
  std::optional<std::pair<uint16_t, uint16_t>> size_;
  std::string early_stdin_;
  bool running_ = false;
  bool stdin_ended_ = false;
  bool stdin_paused_ = false;
  bool output_paused_ = false;
  bool over_ = false;
};

const std::vector<std::string>& websocket_protocols() {
  static const std::vector<std::string> names = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                                 "v4.base64.channel.k8s.io", "channel.k8s.io",
                                                 "base64.channel.k8s.io"};
  return names;
}

const std::vector<std::string>& spdy_protocols() {
  static const std::vector<std::string> names = {"v4.channel.k8s.io", "v3.channel.k8s.io",
                                                 "v2.channel.k8s.io", "channel.k8s.io"};
  return names;
}

int spdy_version(std::string_view protocol) {
  const bool numbered = protocol.size() > 1 && protocol[0] == 'v';
  return numbered ? protocol[1] - '0' : 1;
}

}  // namespace

std::string plain_error_text(const Value& status) {
  if (status.get("status").as_string() == "Success") return {};
  return status.get("message").string();
}

void ResizeReader::feed(std::string_view bytes,
                        const std::function<void(uint16_t, uint16_t)>& on_resize) {
  constexpr size_t kSizeBytesMax = 256;
  partial_ += bytes;
  for (size_t end; (end = partial_.find('}')) != std::string::npos;) {
    const auto size = control::parse_json(std::string_view(partial_).substr(0, end + 1));
    partial_.erase(0, end + 1);
    if (!size) continue;
    const auto cells = [&](const char* name) {
      return static_cast<uint16_t>(std::clamp<int64_t>(size->get(name).as_int(), 0, 0xffff));
    };
    on_resize(cells("Height"), cells("Width"));
  }
  if (partial_.size() > kSizeBytesMax) partial_.clear();
}

Result<RemoteCommandOptions> RemoteCommandOptions::from_query(std::string_view query) {
  return from_parameters(query_parameters(query));
}

Result<RemoteCommandOptions> RemoteCommandOptions::from_parameters(
    const std::vector<std::pair<std::string, std::string>>& parameters) {
  RemoteCommandOptions options;
  for (const auto& [name, value] : parameters) {
    const bool on = control::query_truth(value);
    if (name == "stdin") options.stdin_open = on;
    if (name == "stdout") options.stdout_open = on;
    if (name == "stderr") options.stderr_open = on;
    if (name == "tty") options.tty = on;
  }
  if (options.tty) options.stderr_open = false;
  if (!options.stdin_open && !options.stdout_open && !options.stderr_open) {
    return Error(ErrorCode::kBadRequest, "you must specify at least 1 of stdin, stdout, stderr");
  }
  return options;
}

void serve_remote_command(const HttpRequest& request, const Responder& responder,
                          const RemoteCommandOptions& options, ExecStart start) {
  if (wants_websocket(request)) {
    auto accept = accept_websocket(request, websocket_protocols());
    if (!accept) return responder.respond(upgrade_refusal(accept.error()));
    const ChannelProtocol protocol = *channel_protocol(accept->protocol);
    responder.upgrade(accept->head,
                      [=, start = std::move(start)](const std::shared_ptr<ByteStream>& stream) {
                        auto connection = std::make_shared<WebSocketConnection>(stream);
                        std::make_shared<Session>(
                            exec_over_websocket(std::move(connection), protocol, options), start)
                            ->begin();
                      });
    return;
  }
  auto accept = accept_spdy(request, spdy_protocols());
  if (!accept) return responder.respond(upgrade_refusal(accept.error()));
  const int version = spdy_version(accept->protocol);
  responder.upgrade(
      accept->head, [=, start = std::move(start)](const std::shared_ptr<ByteStream>& stream) {
        std::make_shared<Session>(exec_over_spdy(stream, version, options), start)->begin();
      });
}

}  // namespace minik
