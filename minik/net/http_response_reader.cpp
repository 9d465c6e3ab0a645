#include "minik/net/http_response_reader.h"

#include <utility>

#include "control/base/text.h"
#include "minik/net/beast_parser.h"
#include "minik/net/limits.h"

namespace minik {
namespace {

namespace http = boost::beast::http;

class Parser final : public BeastParser<false> {
 public:
  HttpResponse head;
  std::string body;

 private:
  void on_response_impl(int status, Text, int, ErrorCode&) override { head.status = status; }
  void on_field_impl(http::field, Text name, Text value, ErrorCode&) override {
    head.headers.push_back({to_lower(view(name)), std::string(view(value))});
  }
  void on_body_bytes(std::string_view bytes) override { body += bytes; }
};

}  // namespace

struct HttpResponseReader::Impl {
  bool is_head = false;
  bool failed = false;
  std::unique_ptr<Parser> parser;

  void begin() {
    parser = std::make_unique<Parser>();
    parser->header_limit(static_cast<std::uint32_t>(kHttpHeaderBytesMax));
    parser->body_limit(boost::none);
    parser->eager(true);
    parser->skip(is_head);
  }
  bool is_interim() const {
    const int status = parser->head.status;
    return status >= 100 && status < 200 && status != 101;
  }
};

HttpResponseReader::HttpResponseReader(std::string_view request_method)
    : impl_(std::make_unique<Impl>()) {
  impl_->is_head = request_method == "HEAD";
  impl_->begin();
}

HttpResponseReader::~HttpResponseReader() = default;

size_t HttpResponseReader::feed(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && (state() == State::kHead || state() == State::kBody)) {
    boost::system::error_code error;
    const size_t got = impl_->parser->feed(bytes.substr(taken), error);
    taken += got;
    if (error == http::error::need_more) break;
    if (error) impl_->failed = true;
    if (impl_->parser->is_done() && impl_->is_interim()) impl_->begin();
    if (got == 0) break;
  }
  // A chunk's line has no end of its own.
  if (state() == State::kBody && bytes.size() - taken > kHttpHeaderBytesMax) impl_->failed = true;
  return taken;
}

void HttpResponseReader::end() {
  if (state() == State::kComplete) return;
  if (state() == State::kHead) {
    impl_->failed = true;  // the parser knows ends of bodies alone
    return;
  }
  boost::system::error_code error;
  impl_->parser->put_eof(error);
  if (error || !impl_->parser->is_done()) impl_->failed = true;
}

HttpResponseReader::State HttpResponseReader::state() const {
  if (impl_->failed) return State::kFailed;
  if (impl_->parser->is_done()) return State::kComplete;
  return impl_->parser->is_header_done() && !impl_->is_interim() ? State::kBody : State::kHead;
}

const HttpResponse& HttpResponseReader::head() const {
  return impl_->parser->head;
}

std::optional<uint64_t> HttpResponseReader::content_length() const {
  if (!impl_->parser->is_header_done() || impl_->parser->chunked()) return {};
  if (const auto length = impl_->parser->content_length()) return *length;
  const int status = head().status;
  if (impl_->is_head || status == 204 || status == 304) return 0;
  return {};
}

std::string HttpResponseReader::take_body() {
  return std::exchange(impl_->parser->body, {});
}

}  // namespace minik
