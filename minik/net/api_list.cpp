#include "minik/net/api_list.h"

#include <utility>

#include "control/base/check.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik {

using control::Value;
namespace keys = control::keys;

bool ListAnswer::is_long(const Value& list) {
  return list[keys::kItems].is_array() && list[keys::kItems].size() >= kListPiecesItemsMin;
}

ListAnswer::ListAnswer(Value list, Responder responder, bool compress)
    : list_(std::move(list)), responder_(std::move(responder)) {
  if (compress) gzip_ = std::make_unique<GzipStream>();
}

void ListAnswer::send(HttpResponse head) {
  if (gzip_) {
    head.headers.push_back({"content-encoding", "gzip"});
    head.headers.push_back({"vary", "Accept-Encoding"});
  }
  stream_ = responder_.stream(std::move(head));
  stream_->on_drain([self = shared_from_this()] {
    if (std::exchange(self->waiting_, false)) self->send_piece();
  });
  std::string frame = control::to_json(list_.with(keys::kItems, Value::empty_array()));
  constexpr std::string_view kNoItems = "\"items\":[]";
  const size_t at = frame.find(kNoItems);
  CHECK(at != std::string::npos) << frame;
  const size_t items = at + kNoItems.size() - 1;
  end_ = frame.substr(items) + "\n";
  frame.resize(items);
  if (write(frame)) send_piece();
}

void ListAnswer::send_piece() {
  const auto items = list_[keys::kItems].items();
  std::string bytes;
  bytes.reserve(kListPieceBytes + kListPieceBytes / 4);
  while (sent_ < items.size() && bytes.size() < kListPieceBytes) {
    if (sent_ > 0) bytes += ',';
    writer_.write(items[sent_++], bytes);
  }
  const bool done = sent_ == items.size();
  if (done) bytes += end_;
  if (!write(bytes)) return;
  if (!done) return send_on();
  if (gzip_) stream_->write(gzip_->finish());
  stream_->on_drain(nullptr);  // it holds us, and we hold the stream
  stream_->finish();
}

void ListAnswer::send_on() {
  if (stream_->backlog() > kWatchSendBytesMax) {
    waiting_ = true;
    return;
  }
  responder_.loop()->post([self = shared_from_this()] { self->send_piece(); });
}

bool ListAnswer::write(std::string_view bytes) {
  const bool open = gzip_ ? stream_->write(gzip_->add(bytes)) : stream_->write(bytes);
  if (!open) stream_->on_drain(nullptr);
  return open;
}

}  // namespace minik
