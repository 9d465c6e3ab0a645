#include "minik/net/spdy.h"

#include <algorithm>

#include "control/base/text.h"
#include "minik/net/spdy_headers.h"

namespace minik {
namespace {

constexpr uint16_t kVersion = 3;
constexpr uint32_t kIdMask = 0x7fffffff;
constexpr int64_t kDefaultWindow = 64 * 1024;
constexpr int64_t kWindowMax = 0x7fffffff;
// Acknowledged in halves of the window: often enough to keep a sender going, rarely enough to be
// cheap.
constexpr size_t kAcknowledgeBytes = 32 * 1024;
constexpr size_t kDataFrameBytesMax = 32 * 1024;
constexpr size_t kControlBytesMax = 64 * 1024;
constexpr size_t kFrameHeadBytes = 8;
constexpr uint8_t kFin = 1;

enum FrameType : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};
constexpr uint32_t kSettingsInitialWindow = 7;

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void put_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::string u32_pair(uint32_t first, uint32_t second) {
  std::string body;
  put_u32(body, first);
  put_u32(body, second);
  return body;
}

uint8_t fin_of(SpdySession::End end) {
  return end == SpdySession::End::kYes ? kFin : 0;
}

SpdySession::End end_of(uint8_t flags) {
  return (flags & kFin) != 0 ? SpdySession::End::kYes : SpdySession::End::kNo;
}

}  // namespace

std::string_view spdy_header(const SpdyHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

struct SpdySession::Compressor {
  SpdyHeaderWriter writer;
  SpdyHeaderReader reader;
};

SpdySession::SpdySession(Role role, Callbacks callbacks)
    : role_(role),
      callbacks_(std::move(callbacks)),
      compressor_(std::make_unique<Compressor>()),
      next_id_(role == Role::kClient ? 1 : 2),
      next_ping_(next_id_),
      initial_send_window_(kDefaultWindow),
      session_send_window_(kDefaultWindow) {}

SpdySession::~SpdySession() = default;

bool SpdySession::receive(std::string_view bytes) {
  while (!dead_ && !bytes.empty()) {
    if (data_left_ != 0) {
      read_data(bytes);
    } else if (!read_frame(bytes)) {
      break;
    }
  }
  return !dead_;
}

// One frame's head, and the whole frame when it is a control frame. False when more must come
// first.
bool SpdySession::read_frame(std::string_view& bytes) {
  const auto fill = [&](size_t size) {
    const size_t count = std::min(bytes.size(), size - partial_.size());
    partial_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    return partial_.size() == size;
  };
  if (partial_.size() < kFrameHeadBytes && !fill(kFrameHeadBytes)) return false;
  const uint32_t first = read_u32(partial_, 0);
  const uint32_t second = read_u32(partial_, 4);
  const auto flags = static_cast<uint8_t>(second >> 24);
  const uint32_t length = second & 0xffffff;
  if ((first & ~kIdMask) == 0) {
    partial_.clear();
    begin_data(first, flags, length);
    return true;
  }
  if ((first >> 16 & 0x7fff) != kVersion || length > kControlBytesMax) return fail();
  if (!fill(kFrameHeadBytes + length)) return false;
  const std::string frame = std::exchange(partial_, {});
  if (!read_control(static_cast<uint16_t>(first), flags,
                    std::string_view(frame).substr(kFrameHeadBytes))) {
    return fail();
  }
  return true;
}

bool SpdySession::fail() {
  go_away();
  dead_ = true;
  return false;
}

void SpdySession::begin_data(uint32_t stream, uint8_t flags, uint32_t length) {
  data_stream_ = stream;
  data_left_ = length;
  data_ends_ = (flags & kFin) != 0;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) {
    put_reset(stream, SpdyResetStatus::kInvalidStream);
  } else if (found->second.remote_ended) {
    reset(stream, SpdyResetStatus::kStreamAlreadyClosed);
  } else if (length == 0) {
    if (callbacks_.on_data) callbacks_.on_data(stream, {}, end_of(flags));
    if (data_ends_) end_remote(stream);
  }
}

void SpdySession::read_data(std::string_view& bytes) {
  const std::string_view piece = bytes.substr(0, data_left_);
  bytes.remove_prefix(piece.size());
  data_left_ -= static_cast<uint32_t>(piece.size());
  const auto found = streams_.find(data_stream_);
  if (found == streams_.end() || found->second.remote_ended) {
    consumed(data_stream_, piece.size());  // nobody takes it, but it counts in the session's window
    return;
  }
  const bool ends = data_ends_ && data_left_ == 0;
  const uint32_t id = data_stream_;
  if (callbacks_.on_data) callbacks_.on_data(id, piece, ends ? End::kYes : End::kNo);
  if (ends) end_remote(id);
}

bool SpdySession::read_control(uint16_t type, uint8_t flags, std::string_view body) {
  switch (type) {
    case kSynStream:
      return read_syn_stream(flags, body);
    case kSynReply:
      return read_syn_reply(flags, body);
    case kHeaders:
      return read_headers(flags, body);
    case kRstStream:
      return read_rst_stream(body);
    case kSettings:
      return read_settings(body);
    case kPing:
      return read_ping(body);
    case kWindowUpdate:
      return read_window_update(body);
    case kGoAway:
      if (callbacks_.on_go_away) callbacks_.on_go_away();
      return true;
    default:
      return true;
  }
}

bool SpdySession::read_syn_stream(uint8_t flags, std::string_view body) {
  if (body.size() < 10) return false;
  const uint32_t id = read_u32(body, 0) & kIdMask;
  // Even a stream that will be refused goes through the shared inflater.
  const auto headers = compressor_->reader.read(body.substr(10), kSpdyHeaderBytesMax);
  if (!headers) return false;
  const bool from_client = id % 2 == 1;
  if (id == 0 || from_client != (role_ == Role::kServer) || id <= last_peer_id_) return false;
  last_peer_id_ = id;
  if (going_away_) return true;
  if (streams_.size() >= kSpdyStreamsMax) {
    put_reset(id, SpdyResetStatus::kRefusedStream);
    return true;
  }
  Stream& stream = streams_[id];
  stream.send_window = initial_send_window_;
  const End end = end_of(flags);
  constexpr uint8_t kUnidirectional = 2;
  stream.local_ended = (flags & kUnidirectional) != 0;
  if (callbacks_.on_stream) callbacks_.on_stream(id, *headers, end);
  if (end == End::kYes) end_remote(id);
  return true;
}

bool SpdySession::read_syn_reply(uint8_t flags, std::string_view body) {
  if (body.size() < 4) return false;
  const uint32_t id = read_u32(body, 0) & kIdMask;
  const auto headers = compressor_->reader.read(body.substr(4), kSpdyHeaderBytesMax);
  if (!headers) return false;
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    put_reset(id, SpdyResetStatus::kInvalidStream);
    return true;
  }
  if (std::exchange(found->second.replied, true)) {
    reset(id, SpdyResetStatus::kStreamInUse);
    return true;
  }
  if (callbacks_.on_reply) callbacks_.on_reply(id, *headers, end_of(flags));
  if (end_of(flags) == End::kYes) end_remote(id);
  return true;
}

bool SpdySession::read_headers(uint8_t flags, std::string_view body) {
  if (body.size() < 4) return false;
  const uint32_t id = read_u32(body, 0) & kIdMask;
  if (!compressor_->reader.read(body.substr(4), kSpdyHeaderBytesMax)) return false;
  if (end_of(flags) == End::kYes && is_open(id)) {
    if (callbacks_.on_data) callbacks_.on_data(id, {}, End::kYes);
    end_remote(id);
  }
  return true;
}

bool SpdySession::read_rst_stream(std::string_view body) {
  if (body.size() != 8) return false;
  const uint32_t id = read_u32(body, 0) & kIdMask;
  if (streams_.erase(id) != 0 && callbacks_.on_reset) callbacks_.on_reset(id);
  return true;
}

bool SpdySession::read_settings(std::string_view body) {
  if (body.size() < 4) return false;
  const uint32_t count = read_u32(body, 0);
  if (body.size() != 4 + uint64_t{count} * 8) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t id = read_u32(body, 4 + i * 8) & 0xffffff;
    const uint32_t value = read_u32(body, 8 + i * 8);
    if (id != kSettingsInitialWindow) continue;
    if (value > kWindowMax) return false;
    peer_knows_windows_ = true;
    const int64_t change = value - initial_send_window_;
    initial_send_window_ = value;
    std::vector<uint32_t> ids;
    for (auto& [stream_id, stream] : streams_) {
      stream.send_window += change;
      ids.push_back(stream_id);
    }
    for (const uint32_t stream_id : ids) send_waiting(stream_id);
  }
  return true;
}

bool SpdySession::read_ping(std::string_view body) {
  if (body.size() != 4) return false;
  const bool from_client = read_u32(body, 0) % 2 == 1;
  // One of ours that comes back needs no answer.
  if (from_client == (role_ == Role::kServer)) put_control(kPing, 0, body);
  return true;
}

bool SpdySession::read_window_update(std::string_view body) {
  if (body.size() != 8) return false;
  const uint32_t id = read_u32(body, 0) & kIdMask;
  const int64_t delta = read_u32(body, 4) & kIdMask;
  if (delta == 0) return id != 0;
  peer_knows_windows_ = true;
  if (id == 0) {
    session_send_window_ += delta;
    if (session_send_window_ > kWindowMax) return false;
    std::vector<uint32_t> ids;
    for (const auto& [stream_id, _] : streams_) ids.push_back(stream_id);
    for (const uint32_t stream_id : ids) send_waiting(stream_id);
    return true;
  }
  const auto found = streams_.find(id);
  if (found == streams_.end()) return true;  // it has just ended
  found->second.send_window += delta;
  if (found->second.send_window > kWindowMax) {
    reset(id, SpdyResetStatus::kFlowControlError);
    return true;
  }
  send_waiting(id);
  return true;
}

uint32_t SpdySession::open(const SpdyHeaders& headers, End end) {
  const uint32_t id = next_id_;
  next_id_ += 2;
  std::string body = u32_pair(id, 0);
  body.append(2, '\0');  // priority and slot
  compressor_->writer.write(headers, body);
  put_control(kSynStream, fin_of(end), body);
  Stream& stream = streams_[id];
  stream.send_window = initial_send_window_;
  stream.local_ended = end == End::kYes;
  return id;
}

void SpdySession::reply(uint32_t id, const SpdyHeaders& headers, End end) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.local_ended) return;
  std::string body;
  put_u32(body, id);
  compressor_->writer.write(headers, body);
  put_control(kSynReply, fin_of(end), body);
  found->second.replied = true;
  found->second.local_ended = end == End::kYes;
  drop_if_ended(id);
}

int64_t SpdySession::window_of(const Stream& stream) const {
  if (!peer_knows_windows_) return kWindowMax;
  return std::max<int64_t>(0, std::min(stream.send_window, session_send_window_));
}

void SpdySession::send(uint32_t id, std::string_view bytes, End end) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.local_ended || found->second.end_waiting) return;
  Stream& stream = found->second;
  if (stream.waiting.empty()) {
    const auto now = static_cast<size_t>(
        std::min<int64_t>(window_of(stream), static_cast<int64_t>(bytes.size())));
    const bool all = now == bytes.size();
    if (now != 0 || (all && end == End::kYes)) {
      put_data(id, stream, bytes.substr(0, now), all ? end : End::kNo);
    }
    bytes.remove_prefix(now);
    if (all) return drop_if_ended(id);
  }
  stream.waiting.append(bytes);
  stream.end_waiting = end == End::kYes;
}

void SpdySession::send_waiting(uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.waiting.empty()) return;
  Stream& stream = found->second;
  const auto now = static_cast<size_t>(
      std::min<int64_t>(window_of(stream), static_cast<int64_t>(stream.waiting.size())));
  if (now == 0) return;
  const bool all = now == stream.waiting.size();
  const std::string bytes = stream.waiting.substr(0, now);
  stream.waiting.erase(0, now);
  put_data(id, stream, bytes, all && stream.end_waiting ? End::kYes : End::kNo);
  drop_if_ended(id);
  if (all && callbacks_.on_window) callbacks_.on_window(id);
}

void SpdySession::put_data(uint32_t id, Stream& stream, std::string_view bytes, End end) {
  stream.send_window -= static_cast<int64_t>(bytes.size());
  session_send_window_ -= static_cast<int64_t>(bytes.size());
  do {
    const std::string_view piece = bytes.substr(0, kDataFrameBytesMax);
    bytes.remove_prefix(piece.size());
    const bool last = bytes.empty();
    put_u32(output_, id);
    put_u32(output_, static_cast<uint32_t>(fin_of(last ? end : End::kNo)) << 24 |
                         static_cast<uint32_t>(piece.size()));
    output_.append(piece);
  } while (!bytes.empty());
  if (end == End::kYes) {
    stream.local_ended = true;
    stream.end_waiting = false;
  }
}

void SpdySession::reset(uint32_t id, SpdyResetStatus status) {
  if (streams_.erase(id) == 0) return;
  put_reset(id, status);
}

void SpdySession::ping() {
  std::string body;
  put_u32(body, next_ping_);
  next_ping_ += 2;
  put_control(kPing, 0, body);
}

void SpdySession::go_away() {
  if (std::exchange(going_away_, true)) return;
  put_control(kGoAway, 0, u32_pair(last_peer_id_, 0));
}

void SpdySession::consumed(uint32_t id, size_t bytes) {
  session_unacknowledged_ += bytes;
  if (session_unacknowledged_ >= kAcknowledgeBytes) {
    put_window_update(0, std::exchange(session_unacknowledged_, 0));
  }
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.remote_ended) return;
  found->second.unacknowledged += bytes;
  if (found->second.unacknowledged >= kAcknowledgeBytes) {
    put_window_update(id, std::exchange(found->second.unacknowledged, 0));
  }
}

size_t SpdySession::waiting(uint32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.waiting.size();
}

void SpdySession::put_control(uint16_t type, uint8_t flags, std::string_view body) {
  put_u32(output_, 0x80000000u | static_cast<uint32_t>(kVersion) << 16 | type);
  put_u32(output_, static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(body.size()));
  output_.append(body);
}

void SpdySession::put_reset(uint32_t stream, SpdyResetStatus status) {
  put_control(kRstStream, 0, u32_pair(stream, static_cast<uint32_t>(status)));
}

void SpdySession::put_window_update(uint32_t stream, size_t bytes) {
  put_control(kWindowUpdate, 0, u32_pair(stream, static_cast<uint32_t>(bytes)));
}

void SpdySession::end_remote(uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.remote_ended = true;
  drop_if_ended(id);
}

void SpdySession::drop_if_ended(uint32_t id) {
  const auto found = streams_.find(id);
  if (found != streams_.end() && found->second.local_ended && found->second.remote_ended) {
    streams_.erase(found);
  }
}

}  // namespace minik
