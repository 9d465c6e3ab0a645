#include "minik/net/upstream_fetch.h"

#include <utility>

#include "control/base/text.h"

namespace minik {

UpstreamFetch::UpstreamFetch(std::shared_ptr<EventLoop> loop, FetchOrder order, Done done)
    : order_(std::move(order)), done_(std::move(done)), dial_(loop, order_.route), timer_(*loop) {}

void UpstreamFetch::begin() {
  const auto self = shared_from_this();
  timer_.arm(order_.timeout, [self] { self->finish(Error(ErrorCode::kTimeout, "context deadline exceeded")); });
  dial_.next([self](Result<std::shared_ptr<ByteStream>> connected) {
    if (!connected) return self->finish(std::move(connected).error());
    self->endpoint_ = *std::move(connected);
    ByteStream::Events events;
    events.on_bytes = [self](std::string_view bytes) { self->on_bytes(bytes); };
    events.on_close = [self] { self->on_end(); };
    self->endpoint_->start(std::move(events));
    self->endpoint_->send(self->order_.request);
  });
}

void UpstreamFetch::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  in_.append(bytes);
  in_.erase(0, reader_.feed(in_));
  using State = HttpResponseReader::State;
  if (reader_.state() == State::kFailed) return finish(Error(ErrorCode::kServiceUnavailable, "malformed HTTP response"));
  if (reader_.state() == State::kHead) return;
  body_ += reader_.take_body();
  if (body_.size() > order_.bytes_max) {
    return finish(Error(ErrorCode::kServiceUnavailable, cat("the answer is larger than ", order_.bytes_max, " bytes")));
  }
  if (reader_.state() == State::kComplete) finish(FetchedDocument{reader_.head().status, std::move(body_)});
}

void UpstreamFetch::on_end() {
  const auto self = shared_from_this();
  reader_.end();
  if (reader_.state() != HttpResponseReader::State::kComplete) return finish(Error(ErrorCode::kServiceUnavailable, "EOF"));
  body_ += reader_.take_body();
  finish(FetchedDocument{reader_.head().status, std::move(body_)});
}

void UpstreamFetch::finish(Result<FetchedDocument> result) {
  const auto self = shared_from_this();
  const auto done = std::exchange(done_, nullptr);
  timer_.cancel();
  dial_.cancel();
  if (endpoint_) endpoint_->close();
  endpoint_.reset();
  if (done) done(std::move(result));
}

}  // namespace minik
