#include "minik/net/grpc_health.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/base/utf8.h"
#include "minik/net/http_message.h"

namespace minik {

namespace {

constexpr size_t kMessageBytesMax = 64 * 1024;  // the message has one small number
constexpr size_t kTextBytesMax = 4 * 1024;      // of the server's own words, which end up in an Event

enum GrpcCode { kOk = 0, kCanceled = 1, kUnknown = 2, kResourceExhausted = 8, kPermissionDenied = 7, kUnimplemented = 12, kInternal = 13,
                kUnavailable = 14, kUnauthenticated = 16 };

constexpr std::array kCodeNames = {"OK",               "Canceled",          "Unknown",            "InvalidArgument", "DeadlineExceeded", "NotFound",
                                   "AlreadyExists",    "PermissionDenied",  "ResourceExhausted",  "FailedPrecondition", "Aborted",       "OutOfRange",
                                   "Unimplemented",    "Internal",          "Unavailable",        "DataLoss",        "Unauthenticated"};

constexpr std::array kHealthNames = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
constexpr int64_t kServing = 1;

std::string code_name(int64_t code) {
  return code >= 0 && code < static_cast<int64_t>(kCodeNames.size()) ? kCodeNames[static_cast<size_t>(code)] : cat("Code(", code, ")");
}

int code_of_http(int status) {
  switch (status) {
    case 400: return kInternal;
    case 401: return kUnauthenticated;
    case 403: return kPermissionDenied;
    case 404: return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return kUnavailable;
    default: return kUnknown;
  }
}

int code_of_reset(uint32_t error) {
  if (error == NGHTTP2_REFUSED_STREAM) return kUnavailable;
  if (error == NGHTTP2_CANCEL) return kCanceled;
  if (error == NGHTTP2_ENHANCE_YOUR_CALM) return kResourceExhausted;
  if (error == NGHTTP2_INADEQUATE_SECURITY) return kPermissionDenied;
  return kInternal;
}

// grpc-message is percent-encoded; what is not is taken as it is.
std::string decoded_message(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) { return at < text.size() ? std::string_view("0123456789abcdef").find(to_lower(text.substr(at, 1))) : std::string_view::npos; };
    if (text[i] == '%' && digit(i + 1) != std::string_view::npos && digit(i + 2) != std::string_view::npos) {
      result += static_cast<char>(digit(i + 1) << 4 | digit(i + 2));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return as_utf8(result);
}

// The protobuf form of the two messages.
void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in[0]);
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return {};
}

std::string health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message += '\x0a';  // field 1, bytes
    put_varint(message, service.size());
    message += service;
  }
  std::string framed(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) framed += static_cast<char>(message.size() >> shift);
  return framed + message;
}

// Field 1 of a HealthCheckResponse, 0 when it is not there; none where this is no protobuf. Unknown fields are skipped.
std::optional<int32_t> health_status(std::string_view message) {
  int32_t status = 0;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag || *tag >> 3 == 0 || *tag >> 3 > 0x1fffffff) return {};
    uint64_t skipped = 0;
    switch (*tag & 7) {
      case 0: {
        const auto value = take_varint(message);
        if (!value) return {};
        if (*tag >> 3 == 1) status = static_cast<int32_t>(*value);
        break;
      }
      case 1: skipped = 8; break;
      case 5: skipped = 4; break;
      case 2: {
        const auto length = take_varint(message);
        if (!length) return {};
        skipped = *length;
        break;
      }
      default: return {};
    }
    if (skipped > message.size()) return {};
    message.remove_prefix(skipped);
  }
  return status;
}

}  // namespace

struct GrpcHealthCheck::Impl {
  nghttp2_session* session = nullptr;
  int32_t stream = -1;
  std::string request;  // what is left of it
  bool connected = false, headers_came = false;
  std::string http_status, content_type, message, data;
  std::optional<int64_t> code;
  std::optional<Status> outcome;

  void fail(int64_t with_code, std::string_view why) {
    if (outcome) return;
    const std::string text = as_utf8(why.substr(0, kTextBytesMax));
    const auto words = with_code == kUnimplemented
                           ? cat("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ", text)
                           : cat("error: health rpc probe failed: rpc error: code = ", code_name(with_code), " desc = ", text);
    outcome = Status(Error(ErrorCode::kServiceUnavailable, words));
  }

  // The first headers have come: are they a gRPC server's?
  void on_headers() {
    const auto status = parse_int64(http_status).value_or(0);
    const bool grpc = content_type.starts_with("application/grpc");
    if (grpc && status == 200) return;
    std::string why;
    if (status != 200) {
      why = cat("unexpected HTTP status code received from server: ", status, " (", http_status_text(static_cast<int>(status)), ")");
    }
    if (!grpc) {
      why += why.empty() ? "" : "; ";
      why += content_type.empty() ? "malformed header: missing HTTP content-type"
                                  : cat("transport: received unexpected content-type ", quoted(as_utf8(content_type)));
    }
    fail(code_of_http(static_cast<int>(status)), why);
  }

  void on_closed(uint32_t error) {
    if (outcome) return;
    if (code && *code != kOk) return fail(*code, decoded_message(message));
    if (!code && error != NGHTTP2_NO_ERROR) {
      return fail(code_of_reset(error), cat("stream terminated by RST_STREAM with error code: ", nghttp2_http2_strerror(error)));
    }
    if (!code) return fail(kInternal, "server closed the stream without sending trailers");
    if (data.size() < 5) return fail(kInternal, "cardinality violation: received no response message from non-streaming RPC");
    if (data[0] != 0) return fail(kInternal, "grpc: compressed flag set with identity or empty encoding");
    size_t length = 0;
    for (size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<unsigned char>(data[i]);
    if (length > data.size() - 5) return fail(kInternal, "unexpected EOF");
    const auto health = health_status(std::string_view(data).substr(5, length));
    if (!health) return fail(kInternal, "grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data");
    if (*health == kServing) {
      outcome = Status();
      return;
    }
    const bool named = *health >= 0 && *health < static_cast<int32_t>(kHealthNames.size());
    const std::string name = named ? kHealthNames[static_cast<size_t>(*health)] : cat(*health);
    outcome = Status(Error(ErrorCode::kServiceUnavailable, cat("service unhealthy (responded with ", quoted(name), ")")));
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value,
                       size_t value_size, uint8_t, void* self) {
    auto& check = *static_cast<Impl*>(self);
    if (frame->hd.stream_id != check.stream) return 0;
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":status") check.http_status = text;
    if (key == "content-type") check.content_type = text.substr(0, kTextBytesMax);
    if (key == "grpc-status") check.code = parse_int64(text).value_or(kUnknown);
    if (key == "grpc-message") check.message = text.substr(0, kTextBytesMax);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& check = *static_cast<Impl*>(self);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) check.connected = true;
    const bool headers = frame->hd.type == NGHTTP2_HEADERS && frame->hd.stream_id == check.stream;
    if (headers && !check.headers_came && !check.http_status.starts_with("1")) {
      check.headers_came = true;
      check.on_headers();
    }
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t size, void* self) {
    auto& check = *static_cast<Impl*>(self);
    if (check.data.size() + size > kMessageBytesMax) {
      check.fail(kResourceExhausted, cat("grpc: received message larger than max (", kMessageBytesMax, ")"));
      return 0;
    }
    check.data.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int on_stream_closed(nghttp2_session*, int32_t id, uint32_t error, void* self) {
    auto& check = *static_cast<Impl*>(self);
    if (id == check.stream) check.on_closed(error);
    return 0;
  }
  static ssize_t read_request(nghttp2_session*, int32_t, uint8_t* out, size_t size, uint32_t* flags, nghttp2_data_source*, void* self) {
    auto& check = *static_cast<Impl*>(self);
    const size_t taken = std::min(size, check.request.size());
    std::memcpy(out, check.request.data(), taken);
    check.request.erase(0, taken);
    if (check.request.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(taken);
  }
};

GrpcHealthCheck::GrpcHealthCheck(const GrpcHealthQuestion& question) : impl_(std::make_unique<Impl>()) {
  impl_->request = health_request(question.service);
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0) << "out of memory";
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Impl::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Impl::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Impl::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Impl::on_stream_closed);
  CHECK(nghttp2_session_client_new(&impl_->session, callbacks, impl_.get()) == 0) << "out of memory";
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  nghttp2_submit_settings(impl_->session, NGHTTP2_FLAG_NONE, settings, 1);
  const std::string timeout = cat(std::max<int64_t>(question.timeout.milliseconds(), 1), "m");
  std::vector<nghttp2_nv> headers;
  const std::pair<std::string_view, std::string_view> fields[] = {
      {":method", "POST"},           {":scheme", "http"},   {":path", "/grpc.health.v1.Health/Check"},
      {":authority", question.authority}, {"content-type", "application/grpc"}, {"user-agent", "kube-probe/1.35"},
      {"te", "trailers"},            {"grpc-timeout", timeout}};
  for (const auto& [name, value] : fields) {
    // The library takes pointers that it does not write through.
    headers.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_data_provider body{};
  body.read_callback = Impl::read_request;
  impl_->stream = nghttp2_submit_request(impl_->session, nullptr, headers.data(), headers.size(), &body, nullptr);
}

GrpcHealthCheck::~GrpcHealthCheck() { nghttp2_session_del(impl_->session); }

std::string GrpcHealthCheck::take_output() {
  std::string all;
  const uint8_t* bytes = nullptr;
  for (ssize_t size = 0; (size = nghttp2_session_mem_send(impl_->session, &bytes)) > 0;) {
    all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  return all;
}

void GrpcHealthCheck::feed(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(impl_->session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) return impl_->fail(kUnavailable, cat("error reading from server: ", nghttp2_strerror(static_cast<int>(taken))));
  // After a mistake of the server the session only wants to say so.
  if (nghttp2_session_want_read(impl_->session) == 0) impl_->fail(kUnavailable, "error reading from server: the connection is broken");
}

void GrpcHealthCheck::end() { impl_->fail(kUnavailable, "error reading from server: EOF"); }
bool GrpcHealthCheck::connected() const { return impl_->connected; }
const std::optional<Status>& GrpcHealthCheck::outcome() const { return impl_->outcome; }

}  // namespace minik
