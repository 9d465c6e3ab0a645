#include "minik/net/http_streams.h"

#include <utility>

namespace minik {

bool HttpStream::write(std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard lock(mutex_);
  if (closed_ || finished_) return false;
  if (pending_.size() + unsent_bytes_ + bytes.size() > options_.backlog_bytes_max) {
    cut_off();
    return false;
  }
  pending_.append(bytes);
  schedule_flush();
  return true;
}

size_t HttpStream::backlog() const {
  const std::lock_guard lock(mutex_);
  return pending_.size() + unsent_bytes_;
}

void HttpStream::on_drain(Task task) {
  const std::lock_guard lock(mutex_);
  on_drain_ = std::move(task);
}

void HttpStream::finish() {
  const std::lock_guard lock(mutex_);
  if (closed_ || finished_) return;
  finished_ = true;
  schedule_flush();
}

void HttpStream::abort() {
  const std::lock_guard lock(mutex_);
  if (!closed_ && !finished_) cut_off();
}

void HttpStream::cut_off() {
  closed_ = true;
  pending_ = {};
  exchange_->loop()->post([exchange = exchange_] {
    exchange->with_connection([](HttpConnection& connection) { connection.abort(); });
  });
}

void HttpStream::schedule_flush() {
  if (flush_posted_ || !opened_) return;
  flush_posted_ = true;
  exchange_->loop()->post([self = shared_from_this()] {
    self->exchange_->with_connection([&](HttpConnection& connection) { self->flush(connection); });
  });
}

void HttpStream::opened(HttpConnection& connection) {
  {
    const std::lock_guard lock(mutex_);
    opened_ = true;
  }
  flush(connection);
}

void HttpStream::flush(HttpConnection& connection) {
  std::string bytes;
  bool finished;
  {
    const std::lock_guard lock(mutex_);
    flush_posted_ = false;
    if (closed_) return;
    bytes.swap(pending_);
    unsent_bytes_ += bytes.size();
    finished = finished_;
    closed_ = finished;
  }
  std::string out;
  if (connection.chunked() && !options_.content_length) {
    out.reserve(bytes.size() + 32);
    if (!bytes.empty()) append_http_chunk(out, bytes);
    if (finished) out += kHttpLastChunk;
  } else {
    out = std::move(bytes);
  }
  if (!out.empty()) connection.send(std::move(out));
  if (finished) connection.end_stream();
}

void HttpStream::progressed(size_t unsent_bytes) {
  Task drained;
  {
    const std::lock_guard lock(mutex_);
    unsent_bytes_ = unsent_bytes;
    if (unsent_bytes == 0 && pending_.empty() && !closed_) drained = on_drain_;
  }
  if (drained) drained();
}

void HttpStream::closed() {
  Task released;  // outside of the lock: it may hold the last reference to something with a stream
  const std::lock_guard lock(mutex_);
  closed_ = true;
  pending_ = {};
  unsent_bytes_ = 0;
  released = std::exchange(on_drain_, nullptr);
}

void IncomingBody::start(Events events) {
  events_ = std::make_shared<Events>(std::move(events));
  if (const auto connection = connection_.lock()) connection->body_wanted();
}

void IncomingBody::resume() {
  if (!std::exchange(paused_, false)) return;
  if (const auto connection = connection_.lock()) connection->body_wanted();
}

void IncomingBody::received(std::string_view bytes) {
  if (const auto events = events_; events && events->on_bytes) events->on_bytes(bytes);
}

void IncomingBody::ended() {
  if (const auto events = std::exchange(events_, nullptr); events && events->on_end) events->on_end();
}

void UpgradedStream::start(Events events) {
  started_ = true;
  if (closed_) {
    loop_->post([on_close = std::move(events.on_close)] {
      if (on_close) on_close();
    });
    return;
  }
  events_ = std::make_shared<Events>(std::move(events));
  if (const auto connection = connection_.lock()) connection->start_upgraded();
}

void UpgradedStream::send(std::string_view bytes) {
  const auto connection = connection_.lock();
  if (connection && !closed_) connection->send(std::string(bytes));
}

size_t UpgradedStream::backlog() const {
  const auto connection = connection_.lock();
  return connection ? connection->unsent_bytes() : 0;
}

void UpgradedStream::pause_reading() {
  if (const auto connection = connection_.lock()) connection->pause_reading();
}

void UpgradedStream::resume_reading() {
  if (const auto connection = connection_.lock()) connection->resume_reading();
}

void UpgradedStream::close() {
  if (const auto connection = connection_.lock()) connection->close_after_flush();
}

void UpgradedStream::received(std::string_view bytes) {
  if (const auto events = events_; events && events->on_bytes) events->on_bytes(bytes);
}

void UpgradedStream::drained() {
  if (const auto events = events_; events && events->on_drain) events->on_drain();
}

void UpgradedStream::closed() {
  closed_ = true;
  const auto events = std::exchange(events_, nullptr);
  if (events && events->on_close) events->on_close();
}

}  // namespace minik
