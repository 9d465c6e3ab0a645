#include "minik/net/http_response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

#include "control/base/text.h"
#include "minik/net/limits.h"

namespace minik {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

class Parser final : public http::basic_parser<false> {
 public:
  HttpResponse head;
  std::string body;

 private:
  void on_response_impl(int status, string_view, int, error_code&) override {
    head.status = status;
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    head.headers.push_back({to_lower({name.data(), name.size()}), std::string(value)});
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}
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
    error_code error;
    const size_t got = impl_->parser->put(
        boost::asio::const_buffer(bytes.data() + taken, bytes.size() - taken), error);
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
  error_code error;
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
