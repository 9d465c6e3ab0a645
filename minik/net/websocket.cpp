#include "minik/net/websocket.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "control/base/text.h"

namespace minik {
namespace {

constexpr size_t kControlPayloadMax = 125;

bool is_control(WebSocketOpcode opcode) {
  return static_cast<uint8_t>(opcode) >= 8;
}

bool is_known(uint8_t opcode) {
  return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

// The proof of RFC 6455 section 1.3 that the server understood the handshake.
std::string accept_key(std::string_view key) {
  const std::string text = cat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  return to_base64({reinterpret_cast<char*>(digest), size});
}

Error bad_handshake(std::string_view why) {
  return Error(ErrorCode::kBadRequest, cat("WebSocket handshake: ", why));
}

class Tunnel final : public ByteStream {
 public:
  explicit Tunnel(std::shared_ptr<WebSocketConnection> connection)
      : connection_(std::move(connection)) {}

  void start(Events events) override {
    auto on_bytes = std::move(events.on_bytes);
    connection_->start({.on_message =
                            [on_bytes = std::move(on_bytes)](WebSocketOpcode, std::string_view m) {
                              if (on_bytes) on_bytes(m);
                            },
                        .on_close = std::move(events.on_close),
                        .on_drain = std::move(events.on_drain)});
  }
  void send(std::string_view bytes) override { connection_->send(WebSocketOpcode::kBinary, bytes); }
  size_t backlog() const override { return connection_->backlog(); }
  void pause_reading() override { connection_->pause_reading(); }
  void resume_reading() override { connection_->resume_reading(); }
  void close() override { connection_->close(kWebSocketNormalClosure, {}); }
  const std::shared_ptr<EventLoop>& loop() const override { return connection_->loop(); }

 private:
  const std::shared_ptr<WebSocketConnection> connection_;
};

}  // namespace

std::optional<uint16_t> WebSocketCodec::receive(std::string_view bytes,
                                                const OnMessage& on_message) {
  while (!error_) {
    const Step step = in_payload_ ? read_payload(bytes, on_message) : read_head(bytes);
    if (step == Step::kNeedMore || step == Step::kStopped) break;
  }
  return error_;
}

WebSocketCodec::Step WebSocketCodec::read_head(std::string_view& bytes) {
  const auto want = [&](size_t size) {
    while (head_size_ < size && !bytes.empty()) {
      head_[head_size_++] = static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
    }
    return head_size_ >= size;
  };
  if (!want(2)) return Step::kNeedMore;
  const uint8_t opcode = head_[0] & 0x0f;
  const bool masked = (head_[1] & 0x80) != 0;
  const uint8_t short_length = head_[1] & 0x7f;
  final_ = (head_[0] & 0x80) != 0;
  if ((head_[0] & 0x70) != 0 || !is_known(opcode) || masked != (peer_ == Peer::kClient)) {
    return fail(kWebSocketProtocolError);
  }
  opcode_ = static_cast<WebSocketOpcode>(opcode);
  if (is_control(opcode_) && (!final_ || short_length > kControlPayloadMax)) {
    return fail(kWebSocketProtocolError);
  }
  const size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  const size_t head_bytes = 2 + length_bytes + (masked ? 4 : 0);
  if (!want(head_bytes)) return Step::kNeedMore;

  payload_left_ = short_length;
  if (length_bytes != 0) {
    payload_left_ = 0;
    for (size_t i = 0; i < length_bytes; ++i) payload_left_ = payload_left_ << 8 | head_[2 + i];
  }
  if (masked) std::copy_n(head_.begin() + static_cast<long>(head_bytes) - 4, 4, mask_.begin());
  payload_at_ = 0;
  head_size_ = 0;
  in_payload_ = true;
  if (is_control(opcode_)) {
    control_.clear();
    return Step::kGoOn;
  }
  // A message starts with its kind and goes on with continuations, never otherwise.
  if ((opcode_ == WebSocketOpcode::kContinuation) != message_opcode_.has_value()) {
    return fail(kWebSocketProtocolError);
  }
  if (!message_opcode_) message_opcode_ = opcode_;
  if (payload_left_ > message_bytes_max_ - message_.size()) return fail(kWebSocketMessageTooBig);
  return Step::kGoOn;
}

WebSocketCodec::Step WebSocketCodec::read_payload(std::string_view& bytes,
                                                  const OnMessage& on_message) {
  std::string& target = is_control(opcode_) ? control_ : message_;
  const auto count = static_cast<size_t>(std::min<uint64_t>(bytes.size(), payload_left_));
  const size_t start = target.size();
  target.append(bytes.substr(0, count));
  bytes.remove_prefix(count);
  payload_left_ -= count;
  if (peer_ == Peer::kClient) {
    for (size_t i = 0; i < count; ++i) {
      target[start + i] =
          static_cast<char>(static_cast<uint8_t>(target[start + i]) ^ mask_[payload_at_++ % 4]);
    }
  }
  if (payload_left_ != 0) return Step::kNeedMore;
  in_payload_ = false;
  if (is_control(opcode_)) {
    return on_message({opcode_, control_}) ? Step::kGoOn : Step::kStopped;
  }
  if (!final_) return Step::kGoOn;
  const WebSocketOpcode opcode = *std::exchange(message_opcode_, std::nullopt);
  const bool go_on = on_message({opcode, message_});
  message_.clear();
  return go_on ? Step::kGoOn : Step::kStopped;
}

void WebSocketCodec::append_frame(std::string& out, WebSocketOpcode opcode,
                                  std::string_view payload, std::optional<uint32_t> mask) {
  const auto put = [&](uint64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8 * i));
  };
  put(0x80u | static_cast<uint8_t>(opcode), 1);
  const unsigned mask_bit = mask ? 0x80 : 0;
  if (payload.size() < 126) {
    put(mask_bit | payload.size(), 1);
  } else if (payload.size() <= 0xffff) {
    put(mask_bit | 126, 1);
    put(payload.size(), 2);
  } else {
    put(mask_bit | 127, 1);
    put(payload.size(), 8);
  }
  if (!mask) {
    out.append(payload);
    return;
  }
  put(*mask, 4);
  for (size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(static_cast<uint8_t>(payload[i]) ^
                             static_cast<uint8_t>(*mask >> (8 * (3 - i % 4))));
  }
}

bool wants_websocket(const HttpRequest& request) {
  return request.header_has_token("connection", "upgrade") &&
         request.header_has_token("upgrade", "websocket");
}

Result<WebSocketAccept> accept_websocket(const HttpRequest& request,
                                         const std::vector<std::string>& protocols) {
  if (!wants_websocket(request) || request.method != "GET" || request.version < 11) {
    return bad_handshake("the request does not ask for an upgrade to websocket");
  }
  if (request.header("sec-websocket-version") != "13") {
    return bad_handshake("only version 13 is spoken");
  }
  const auto key = from_base64(trim(request.header("sec-websocket-key")));
  if (!key || key->size() != 16) return bad_handshake("Sec-WebSocket-Key is not 16 bytes");

  WebSocketAccept accept;
  accept.head.status = 101;
  accept.head.headers = {
      {"upgrade", "websocket"},
      {"connection", "Upgrade"},
      {"sec-websocket-accept", accept_key(trim(request.header("sec-websocket-key")))}};
  const auto offered = request.header_list("sec-websocket-protocol");
  for (const std::string_view offer : offered) {
    if (std::find(protocols.begin(), protocols.end(), offer) != protocols.end()) {
      accept.protocol = offer;
      accept.head.headers.push_back({"sec-websocket-protocol", accept.protocol});
      return accept;
    }
  }
  if (!offered.empty()) {
    return bad_handshake(cat("none of the client's subprotocols is supported; choose one of ",
                             join(protocols, ", ")));
  }
  return accept;
}

WebSocketConnection::WebSocketConnection(std::shared_ptr<ByteStream> stream)
    : stream_(std::move(stream)), codec_(WebSocketCodec::Peer::kClient) {}

void WebSocketConnection::start(Events events) {
  events_ = std::make_shared<Events>(std::move(events));
  stream_->start(
      {.on_bytes = [self = shared_from_this()](std::string_view bytes) { self->received(bytes); },
       .on_close =
           [self = shared_from_this()] {
             const auto ended = std::exchange(self->events_, nullptr);
             if (ended && ended->on_close) ended->on_close();
           },
       .on_drain =
           [self = shared_from_this()] {
             const auto current = self->events_;
             if (current && current->on_drain) current->on_drain();
           }});
}

void WebSocketConnection::received(std::string_view bytes) {
  const auto error = codec_.receive(
      bytes, [this](const WebSocketCodec::Message& message) { return handle(message); });
  if (error) close(*error, "protocol error");
}

bool WebSocketConnection::handle(const WebSocketCodec::Message& message) {
  if (closing_) return false;
  std::string out;
  switch (message.opcode) {
    case WebSocketOpcode::kPing:
      WebSocketCodec::append_frame(out, WebSocketOpcode::kPong, message.payload);
      stream_->send(out);
      return true;
    case WebSocketOpcode::kPong:
      return true;
    case WebSocketOpcode::kClose:
      close(kWebSocketNormalClosure, {});
      return false;
    default:
      break;
  }
  if (const auto events = events_; events && events->on_message) {
    events->on_message(message.opcode, message.payload);
  }
  return !closing_;
}

void WebSocketConnection::send(WebSocketOpcode opcode, std::string_view payload) {
  if (closing_) return;
  std::string out;
  out.reserve(payload.size() + 10);
  WebSocketCodec::append_frame(out, opcode, payload);
  stream_->send(out);
}

void WebSocketConnection::close(uint16_t code, std::string_view reason) {
  if (std::exchange(closing_, true)) return;
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code)};
  payload += reason.substr(0, kControlPayloadMax - 2);
  std::string out;
  WebSocketCodec::append_frame(out, WebSocketOpcode::kClose, payload);
  stream_->send(out);
  stream_->close();
}

std::shared_ptr<ByteStream> tunnel_through(std::shared_ptr<WebSocketConnection> connection) {
  return std::make_shared<Tunnel>(std::move(connection));
}

}  // namespace minik
