#include "minik/net/api_watch.h"

#include <algorithm>
#include <map>
#include <utility>

namespace minik {

using control::WatchEvent;
using control::WatchEventType;

void WatchFanOut::hand_over_soon(std::shared_ptr<ApiWatch> watch) {
  if (ready_.empty()) control_.post([this] { hand_over(); });
  ready_.push_back(std::move(watch));
}

// Once a turn: what happens together leaves together.
void WatchFanOut::hand_over() {
  struct Batch {
    std::shared_ptr<ApiWatch> watch;
    std::vector<WatchFramePtr> frames;
    bool last;
  };
  // In the order of the loops' addresses, which decides nothing: each has a thread of its own.
  std::map<EventLoop*, std::vector<Batch>> by_loop;
  for (auto& watch : std::exchange(ready_, {})) {
    watch->ready_ = false;
    if (!watch->stream_) continue;
    const bool last = watch->ended_;
    by_loop[watch->responder_.loop().get()].push_back({watch, std::exchange(watch->batch_, {}), last});
    if (last) watch->end();
  }
  frames_.forget();
  for (auto& [loop, batches] : by_loop) {
    loop->post([shared = std::make_shared<std::vector<Batch>>(std::move(batches))] {
      for (auto& batch : *shared) batch.watch->take(std::move(batch.frames), batch.last);
    });
  }
}

ApiWatch::ApiWatch(WatchFanOut& fan_out, const control::Schema& schema, control::ResourceCall call,
                   std::vector<HttpHeader> headers, Responder responder)
    : fan_out_(fan_out),
      schema_(schema),
      call_(std::make_shared<const control::ResourceCall>(std::move(call))),
      headers_(std::move(headers)),
      responder_(std::move(responder)) {}

Status ApiWatch::begin(control::ApiServer& server) {
  const auto self = shared_from_this();
  MINIK_ASSIGN(handle_, server.watch(call_->request,
                                     {.on_event = [self](const WatchEvent& event) { self->on_event(event); },
                                      .on_end = [self](const Status& status) { self->on_end(status); }}));
  begun_ = true;
  HttpResponse head;
  head.headers = std::move(headers_);
  head.headers.push_back({"content-type", "application/json"});
  head.headers.push_back({"cache-control", "no-cache, private"});
  stream_ = responder_.stream(std::move(head));
  stream_->on_drain([weak = weak_from_this()] {
    if (const auto watch = weak.lock()) watch->send_on();
  });
  responder_.on_close([self] {
    self->closed_ = true;
    self->fan_out_.control_.post([self] { self->end(); });
  });
  if (!initial_.empty()) responder_.loop()->post([self] { self->send_on(); });
  return {};
}

void ApiWatch::on_event(const WatchEvent& event) {
  if (!begun_) return initial_.push_back(event);
  batch_.push_back(fan_out_.frames_.frame(call_, event));
  if (!std::exchange(ready_, true)) fan_out_.hand_over_soon(shared_from_this());
}

void ApiWatch::on_end(const Status& status) {
  if (!status) {
    batch_.push_back(fan_out_.frames_.frame(call_, {WatchEventType::kError, control::status_of(status.error())}));
  }
  ended_ = true;
  if (!std::exchange(ready_, true)) fan_out_.hand_over_soon(shared_from_this());
}

void ApiWatch::end() {
  handle_.reset();
  batch_.clear();
}

WallTime ApiWatch::wall_now() const {
  return fan_out_.wall_now_ ? fan_out_.wall_now_() : responder_.loop()->wall_now();
}

void ApiWatch::take(std::vector<WatchFramePtr> frames, bool last) {
  if (closed_) return;
  const WallTime now = wall_now();
  for (WatchFramePtr& frame : frames) {
    waiting_bytes_ += frame->text(now).size();
    waiting_.push_back(std::move(frame));
  }
  last_taken_ = last_taken_ || last;
  send_on();
  // What all watchers lag behind together is bounded as well: then the patience with each ends sooner.
  const bool crowded = fan_out_.frames_.live_bytes() > fan_out_.limits_.total_backlog_bytes_max;
  if (waiting_bytes_ > (crowded ? kWatchSendBytesMax : fan_out_.limits_.backlog_bytes_max)) give_up();
}

void ApiWatch::send_on() {
  if (closed_) return;
  const size_t backlog = stream_->backlog();
  const size_t room = backlog < kWatchSendBytesMax ? kWatchSendBytesMax - backlog : 0;
  const WallTime now = wall_now();
  std::string bytes;
  while (initial_sent_ < initial_.size() && bytes.size() < room) {
    bytes += control::encode_watch_event(schema_, *call_, initial_[initial_sent_++], now);
  }
  const bool begun = initial_sent_ == initial_.size();
  if (begun && !initial_.empty()) {
    initial_ = {};
    initial_sent_ = 0;
  }
  while (begun && !waiting_.empty() && bytes.size() < room) {
    const std::string& text = waiting_.front()->text(now);
    bytes += text;
    waiting_bytes_ -= text.size();
    waiting_.pop_front();
  }
  if (!stream_->write(bytes)) return give_up();
  if (begun && waiting_.empty() && last_taken_) {
    closed_ = true;
    stream_->finish();
  }
}

// A client that is gone or too slow. When it is the connection that closed, on_close says so too.
void ApiWatch::give_up() {
  if (std::exchange(closed_, true)) return;
  stream_->abort();
  waiting_.clear();
  initial_ = {};
  fan_out_.control_.post([self = shared_from_this()] { self->end(); });
}

}  // namespace minik
