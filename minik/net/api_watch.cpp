#include "minik/net/api_watch.h"

#include <utility>

namespace minik {

using control::WatchEvent;
using control::WatchEventType;

Status ApiWatch::begin(control::ApiServer& server) {
  const auto self = shared_from_this();
  MINIK_ASSIGN(handle_,
               server.watch(call_.request, {.on_event =
                                                [self](const WatchEvent& event) {
                                                  self->batch_.push_back(event);
                                                  self->hand_over_soon();
                                                },
                                            .on_end =
                                                [self](const Status& status) {
                                                  if (!status) {
                                                    self->batch_.push_back(
                                                        {WatchEventType::kError,
                                                         control::status_of(status.error())});
                                                  }
                                                  self->ended_ = true;
                                                  self->hand_over_soon();
                                                }}));
  HttpResponse head;
  head.headers = {{"content-type", "application/json"}, {"cache-control", "no-cache, private"}};
  stream_ = responder_.stream(std::move(head));
  responder_.on_close([self] { self->control_.post([self] { self->end(); }); });
  return {};
}

// Once a turn: what happens together leaves together.
void ApiWatch::hand_over_soon() {
  if (std::exchange(handing_over_, true)) return;
  control_.post([self = shared_from_this()] { self->hand_over(); });
}

void ApiWatch::hand_over() {
  handing_over_ = false;
  if (!stream_) return;
  auto batch = std::make_shared<std::vector<WatchEvent>>(std::exchange(batch_, {}));
  responder_.loop()->post([self = shared_from_this(), stream = stream_, batch, last = ended_] {
    std::string bytes;
    const WallTime now = self->wall_now_ ? self->wall_now_() : self->responder_.loop()->wall_now();
    for (const WatchEvent& event : *batch) {
      bytes += control::encode_watch_event(self->schema_, self->call_, event, now);
    }
    const bool open = stream->write(bytes);
    if (last) stream->finish();
    // A client that is gone or was cut off; when it is the connection that closed, on_close says so
    // too.
    if (!open) self->control_.post([self] { self->end(); });
  });
  if (ended_) end();
}

void ApiWatch::end() {
  handle_.reset();
  stream_.reset();
  batch_.clear();
}

}  // namespace minik
