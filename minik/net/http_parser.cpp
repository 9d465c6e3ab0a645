#include "minik/net/http_parser.h"

#include <optional>
#include <utility>

#include "control/base/text.h"
#include "minik/net/beast_parser.h"

namespace minik {
namespace {

namespace http = boost::beast::http;

class Parser final : public BeastParser<true> {
 public:
  Parser(HttpRequest& request, const HttpRequestParser::Streams& streams, size_t body_bytes_max)
      : request_(request), streams_(streams), body_bytes_max_(body_bytes_max) {
    body_limit(boost::none);  // until it is known whether it is streamed
  }
  bool streams_body() const { return streams_body_; }

 private:
  void on_request_impl(http::verb, Text method, Text target, int version, ErrorCode&) override {
    request_.method = view(method);
    request_.version = version;
    std::string_view rest = view(target);
    // The absolute form that proxies send: http://host/path.
    if (const size_t scheme = rest.find("://"); !rest.starts_with('/') && scheme != rest.npos) {
      const size_t slash = rest.find('/', scheme + 3);
      rest = slash == rest.npos ? std::string_view("/") : rest.substr(slash);
    }
    const size_t mark = rest.find('?');
    request_.path = rest.substr(0, mark);
    if (mark != rest.npos) request_.query = rest.substr(mark + 1);
  }

  void on_field_impl(http::field, Text name, Text value, ErrorCode&) override {
    request_.headers.push_back({to_lower(view(name)), std::string(view(value))});
  }

  void on_header_impl(ErrorCode& error) override {
    streams_body_ = streams_ && streams_(request_);
    if (streams_body_) return;
    body_limit(body_bytes_max_);
    if (content_length().value_or(0) > body_bytes_max_) error = http::error::body_limit;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) override {
    // Memory for a body is spent as it arrives: its announced length is only a hint.
    if (length) request_.body.reserve(static_cast<size_t>(std::min<uint64_t>(*length, 64 * 1024)));
  }
  void on_body_bytes(std::string_view bytes) override { request_.body += bytes; }

  HttpRequest& request_;
  const HttpRequestParser::Streams& streams_;
  const size_t body_bytes_max_;
  bool streams_body_ = false;
};

}  // namespace

struct HttpRequestParser::Impl {
  HttpParserLimits limits;
  Streams streams;
  HttpRequest request;
  std::optional<Parser> parser;
  int error_status = 0;
  std::string error_message;
  bool head_checked = false;

  void reset() {
    request = {};
    request.headers.reserve(16);
    parser.emplace(request, streams, limits.body_bytes_max);
    parser->header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser->eager(true);
    error_status = 0;
    error_message.clear();
    head_checked = false;
  }

  void refuse(int status, std::string message) {
    error_status = status;
    error_message = std::move(message);
  }

  // Once the head is whole. What the grammar allows and smugglers use: an encoding that only one of two readers
  // knows, a length where HTTP/1.0 has none, two hosts.
  void check_head() {
    size_t hosts = 0;
    for (const HttpHeader& header : request.headers) {
      hosts += header.name == "host" ? 1 : 0;
      if (header.name != "transfer-encoding") continue;
      if (request.version < 11) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
      if (!equal_ignoring_case(header.value, "chunked")) {
        return refuse(501, cat("no Transfer-Encoding but chunked is known: ", header.value.substr(0, 100)));
      }
    }
    if (hosts > 1) return refuse(400, "a request has one Host");
    if (request.headers.size() > limits.headers_max) {
      refuse(431, cat("the request has more than ", limits.headers_max, " headers"));
    }
  }

  void fail(const boost::system::error_code& error) {
    if (error == http::error::body_limit) {
      error_status = 413;
      error_message = cat("Request entity too large: limit is ", limits.body_bytes_max);
    } else if (error == http::error::header_limit) {
      error_status = 431;
      error_message = cat("the request's head has more than ", limits.header_bytes_max, " bytes");
    } else {
      error_status = 400;
      error_message = cat("the request is not valid HTTP: ", error.message());
    }
  }
};

HttpRequestParser::HttpRequestParser(HttpParserLimits limits, Streams streams) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->streams = std::move(streams);
  impl_->reset();
}

HttpRequestParser::~HttpRequestParser() = default;

size_t HttpRequestParser::feed(std::string_view bytes) {
  size_t taken = 0;
  while (state() == State::kHead || state() == State::kBody) {
    if (taken == bytes.size()) break;
    boost::system::error_code error;
    const size_t got = impl_->parser->feed(bytes.substr(taken), error);
    taken += got;
    if (error == http::error::need_more) break;
    if (error) {
      impl_->fail(error);
      break;
    }
    if (got == 0) break;
  }
  // What is left of a body is the line of a chunk or the trailer, which may be as long as a head.
  if (state() == State::kBody && bytes.size() - taken > impl_->limits.header_bytes_max) {
    impl_->refuse(431, cat("a chunk's extension or the trailer has more than ", impl_->limits.header_bytes_max, " bytes"));
  }
  if (!impl_->head_checked && (state() == State::kBody || state() == State::kComplete)) {
    impl_->head_checked = true;
    impl_->check_head();
  }
  return taken;
}

HttpRequestParser::State HttpRequestParser::state() const {
  if (impl_->error_status != 0) return State::kFailed;
  if (impl_->parser->is_done()) return State::kComplete;
  return impl_->parser->is_header_done() ? State::kBody : State::kHead;
}

int HttpRequestParser::error_status() const {
  return impl_->error_status;
}
const std::string& HttpRequestParser::error_message() const {
  return impl_->error_message;
}

bool HttpRequestParser::expects_continue() const {
  return impl_->request.version >= 11 && impl_->request.header_has_token("expect", "100-continue");
}

bool HttpRequestParser::keep_alive() const {
  return impl_->parser->keep_alive();
}

const HttpRequest& HttpRequestParser::request() const {
  return impl_->request;
}

HttpRequest HttpRequestParser::take_request() {
  return std::move(impl_->request);
}

bool HttpRequestParser::streams_body() const {
  return impl_->parser->streams_body();
}

HttpRequest HttpRequestParser::take_head() {
  HttpRequest head = std::exchange(impl_->request, {});
  impl_->request.body = std::exchange(head.body, {});
  return head;
}

std::string HttpRequestParser::take_body() {
  return std::exchange(impl_->request.body, {});
}

void HttpRequestParser::reset() {
  impl_->reset();
}

}  // namespace minik
