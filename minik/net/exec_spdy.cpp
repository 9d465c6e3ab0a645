#include <utility>

#include "control/object/json.h"
#include "minik/net/exec_channels.h"
#include "minik/net/spdy_connection.h"

namespace minik {
namespace {

// The client opens one stream per channel, in any order, before anything flows.
constexpr Duration kStreamsTimeout = seconds(30);

class SpdyExec final : public ExecChannels, public std::enable_shared_from_this<SpdyExec> {
 public:
  SpdyExec(std::shared_ptr<ByteStream> stream, int version, RemoteCommandOptions options)
      : connection_(SpdyConnection::open(std::move(stream), SpdySession::Role::kServer)),
        version_(version),
        options_(options),
        timeout_(*connection_->loop()) {}

  void start(Events events) override {
    events_ = std::make_shared<Events>(std::move(events));
    const auto self = shared_from_this();
    connection_->start(
        {.on_stream = [self](uint32_t id, const SpdyHeaders& headers,
                             SpdySession::End end) { self->opened(id, headers, end); },
         .on_data = [self](uint32_t id, std::string_view bytes,
                           SpdySession::End end) { self->received(id, bytes, end); },
         .on_reset = [self](uint32_t id) { self->ended(id); },
         .on_window = [self](uint32_t) { self->drained(); }},
        [self] { self->closed(); }, [self] { self->drained(); });
    timeout_.arm(kStreamsTimeout, [this] { connection_->close(); });
  }

  void send(ExecOutput output, std::string_view bytes) override {
    const uint32_t id = output == ExecOutput::kStdout ? stdout_ : stderr_;
    if (id == 0) return;
    connection_->session().send(id, bytes);
    connection_->flush();
  }
  size_t backlog() const override {
    const SpdySession& session = connection_->session();
    return connection_->backlog() + session.waiting(stdout_) + session.waiting(stderr_);
  }
  void pause_stdin() override { connection_->pause_reading(); }
  void resume_stdin() override { connection_->resume_reading(); }

  void finish(const control::Value& status) override {
    SpdySession& session = connection_->session();
    session.send(error_, version_ >= 4 ? control::to_json(status) : plain_error_text(status),
                 SpdySession::End::kYes);
    session.send(stdout_, {}, SpdySession::End::kYes);
    session.send(stderr_, {}, SpdySession::End::kYes);
    connection_->close();
  }
  const std::shared_ptr<EventLoop>& loop() const override { return connection_->loop(); }

 private:
  uint32_t* slot_of(std::string_view type) {
    if (type == "error") return &error_;
    if (type == "stdin" && options_.stdin_open) return &stdin_;
    if (type == "stdout" && options_.stdout_open) return &stdout_;
    if (type == "stderr" && options_.stderr_open) return &stderr_;
    if (type == "resize" && options_.tty && version_ >= 3) return &resize_id_;
    return nullptr;
  }

  void opened(uint32_t id, const SpdyHeaders& headers, SpdySession::End end) {
    uint32_t* slot = slot_of(spdy_header(headers, "streamtype"));
    if (slot == nullptr || *slot != 0) {
      return connection_->session().reset(id, SpdyResetStatus::kRefusedStream);
    }
    *slot = id;
    connection_->session().reply(id);
    const bool all = error_ != 0 && (stdin_ != 0 || !options_.stdin_open) &&
                     (stdout_ != 0 || !options_.stdout_open) &&
                     (stderr_ != 0 || !options_.stderr_open) &&
                     (resize_id_ != 0 || !options_.tty || version_ < 3);
    if (all && !std::exchange(ready_, true)) {
      timeout_.cancel();
      if (const auto events = events_; events && events->on_ready) events->on_ready();
    }
    if (end == SpdySession::End::kYes) ended(id);
  }

  void received(uint32_t id, std::string_view bytes, SpdySession::End end) {
    const auto events = events_;
    if (!events) return;
    if (id == stdin_ && events->on_stdin && !bytes.empty()) events->on_stdin(bytes);
    if (id == resize_id_ && events->on_resize) resize_.feed(bytes, events->on_resize);
    connection_->session().consumed(id, bytes.size());
    if (end == SpdySession::End::kYes) ended(id);
  }

  void ended(uint32_t id) {
    const auto events = events_;
    if (id == stdin_ && events && events->on_stdin_end) events->on_stdin_end();
  }
  void drained() {
    if (const auto events = events_; events && events->on_drain) events->on_drain();
  }
  void closed() {
    timeout_.cancel();
    const auto events = std::exchange(events_, nullptr);
    if (events && events->on_close) events->on_close();
  }

  const std::shared_ptr<SpdyConnection> connection_;
  const int version_;
  const RemoteCommandOptions options_;
  // Shared, so that the end of the session does not destroy the callback that brought it about.
  std::shared_ptr<Events> events_;
  ScopedTimer timeout_;
  ResizeReader resize_;
  bool ready_ = false;
  // Stream ids; 0 names none.
  uint32_t error_ = 0, stdin_ = 0, stdout_ = 0, stderr_ = 0, resize_id_ = 0;
};

}  // namespace

std::shared_ptr<ExecChannels> exec_over_spdy(std::shared_ptr<ByteStream> stream, int version,
                                             RemoteCommandOptions options) {
  return std::make_shared<SpdyExec>(std::move(stream), version, options);
}

}  // namespace minik
