#include "runtime/image/http_client.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>

#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::buffer_body>;

constexpr size_t kHeaderBytesMax = 64U << 10;
constexpr size_t kErrorBodyBytesMax = 64U << 10;

Error malformed(const Url& url, std::string_view why) {
  return Error(ErrorCode::kServiceUnavailable,
               cat(url.origin(), " does not speak HTTP as it should: ", why));
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
}

// One answer as its bytes come in.
class AnswerReader {
 public:
  AnswerReader(const HttpRequest& request, const HttpClient::BodySink& sink)
      : request_(request), sink_(sink), output_(kCopyBytes, '\0') {
    start();
  }

  Status add(std::string_view bytes) {
    input_ += bytes;
    return {};
  }

  // An answer without a length ends with the connection; any other is cut off.
  Status add_end() {
    boost::system::error_code failure;
    if (parser_->got_some()) parser_->put_eof(failure);
    if (!ended_ && parser_->got_some() && !failure) {
      ended_ = true;
      return {};
    }
    return Error(ErrorCode::kServiceUnavailable,
                 cat(request_.url.origin(), " closed the connection in the middle of its answer"));
  }

  // True when the answer is complete, false when it needs more.
  Result<bool> digest_input() {
    while (!parser_->is_done()) {
      if (parser_->is_header_done()) {
        parser_->get().body().data = output_.data();
        parser_->get().body().size = output_.size();
        parser_->get().body().more = true;
      }
      boost::system::error_code failure;
      if (!input_.empty()) input_.erase(0, parser_->put(boost::asio::buffer(input_), failure));
      const bool starved = input_.empty() || failure == http::error::need_more;
      const bool known = failure == http::error::need_more || failure == http::error::need_buffer;
      if (failure && !known) return malformed(request_.url, failure.message());
      if (parser_->is_header_done()) MINIK_TRY(take_what_came());
      if (starved && !parser_->is_done()) return false;
    }
    return true;
  }

  bool reusable() const { return !ended_ && input_.empty() && parser_->keep_alive(); }
  HttpResponse take() { return std::move(response_); }

 private:
  void start() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(static_cast<uint64_t>(kLayerBytesMax));
    parser_->skip(request_.method == "HEAD");
    response_ = {};
  }

  Status take_what_came() {
    if (response_.status == 0) {
      response_.status = static_cast<int>(parser_->get().result_int());
      for (const auto& field : parser_->get()) {
        const auto name = field.name_string(), value = field.value();
        response_.headers[to_lower({name.data(), name.size()})] = std::string(value);
      }
    }
    // 100 Continue and its kin precede the answer.
    if (response_.status / 100 == 1) {
      start();
      return {};
    }
    const auto& body = parser_->get().body();
    if (body.data == nullptr) return {};
    const std::string_view bytes(output_.data(), output_.size() - body.size);
    if (sink_ && response_.status / 100 == 2) {
      return bytes.empty() ? Status() : sink_(response_, bytes);
    }
    const size_t room = (sink_ ? kErrorBodyBytesMax : kDocumentBytesMax) - response_.body.size();
    response_.body += bytes.substr(0, room);
    if (!sink_ && bytes.size() > room) {
      return Error(ErrorCode::kRequestEntityTooLarge, cat(request_.url.text(), " is too large"));
    }
    return {};
  }

  const HttpRequest& request_;
  const HttpClient::BodySink& sink_;
  std::optional<Parser> parser_;
  HttpResponse response_;
  std::string input_, output_;
  bool ended_ = false;
};

}  // namespace

std::string Url::origin() const {
  const bool address = host.find(':') != std::string::npos;
  return cat(tls ? "https" : "http", "://", address ? "[" : "", host, address ? "]" : "", ":",
             port);
}

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Error(ErrorCode::kInvalid, cat("URL ", quoted(text.substr(0, 300)), ": ", why));
  };
  Url url;
  std::string_view rest = text;
  // A control character would start another header.
  if (std::any_of(rest.begin(), rest.end(), is_control)) return bad("it holds a control character");
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return bad("only http and https are known");
  }
  const size_t end = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, end);
  std::string_view target = end == std::string_view::npos ? "" : rest.substr(end);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? std::string(target) : cat("/", target);
  if (authority.find('@') != std::string_view::npos) return bad("it holds a user name");
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad("its address is not closed");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
  } else {
    url.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(url.host.size());
  }
  url.port = authority.empty() ? (url.tls ? "443" : "80") : std::string(authority.substr(1));
  const auto port = parse_uint64(url.port);
  if (url.host.empty()) return bad("it has no host");
  if (!port || *port == 0 || *port > 65535) return bad("its port is no number from 1 to 65535");
  return url;
}

Result<Url> resolve_url(const Url& base, std::string_view location) {
  if (location.find("://") != std::string_view::npos) return parse_url(location);
  if (location.starts_with("//")) return parse_url(cat(base.tls ? "https:" : "http:", location));
  if (location.starts_with('/')) return parse_url(cat(base.origin(), location));
  const std::string path = base.target.substr(0, base.target.find('?'));
  return parse_url(cat(base.origin(), path.substr(0, path.rfind('/') + 1), location));
}

std::string encode_query(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (unreserved(c)) {
      text += c;
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      text += '%';
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
  return text;
}

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

HttpClient::HttpClient(PeerOptions options) : options_(std::move(options)) {}
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const BodySink& sink) {
  const bool reused =
      stream_ != nullptr && origin_ == request.url.origin() && stream_->still_open();
  if (!reused) {
    stream_.reset();
    if (request.url.tls && tls_ == nullptr) {
      MINIK_ASSIGN(tls_, make_tls_context(options_));
    }
    MINIK_ASSIGN(stream_, PeerStream::connect(request.url.host, request.url.port, options_,
                                              request.url.tls ? tls_ : nullptr));
    origin_ = request.url.origin();
  }
  Status sent = send_request(request);
  // A server may answer and close before it has read all of a body: hear it out.
  auto response = receive(request, sink);
  if (!response) {
    stream_.reset();
    const bool idle_close = reused && response.error().code == ErrorCode::kServiceUnavailable &&
                            !request.body_source && !sink;
    if (idle_close) return send(request, sink);
    if (!sent) return std::move(sent).error();
    return response;
  }
  if (!sent) stream_.reset();
  return response;
}

Status HttpClient::send_request(const HttpRequest& request) {
  // Without a port that goes without saying: storage behind a registry signs this header.
  const Url& url = request.url;
  const bool address = url.host.find(':') != std::string::npos;
  const bool usual = url.port == (url.tls ? "443" : "80");
  std::string head =
      cat(request.method, " ", url.target, " HTTP/1.1\r\nHost: ", address ? "[" : "", url.host,
          address ? "]" : "", usual ? "" : ":", usual ? "" : url.port, "\r\nUser-Agent: minik\r\n");
  for (const auto& [name, value] : request.headers) head += cat(name, ": ", value, "\r\n");
  const bool has_body = request.body_source || !request.body.empty() || request.method == "POST" ||
                        request.method == "PUT" || request.method == "PATCH";
  const int64_t size =
      request.body_source ? request.body_size : static_cast<int64_t>(request.body.size());
  if (has_body) head += cat("Content-Length: ", size, "\r\n");
  head += "\r\n";
  MINIK_TRY(stream_->write(head + request.body));
  if (!request.body_source) return {};
  while (true) {
    MINIK_ASSIGN(const std::string_view piece, request.body_source());
    if (piece.empty()) return {};
    MINIK_TRY(stream_->write(piece));
  }
}

Result<HttpResponse> HttpClient::receive(const HttpRequest& request, const BodySink& sink) {
  AnswerReader reader(request, sink);
  stream_->expect_answer();
  std::string buffer(kCopyBytes, '\0');
  while (true) {
    MINIK_ASSIGN(const bool done, reader.digest_input());
    if (done) break;
    MINIK_ASSIGN(const size_t got, stream_->read_some(buffer.data(), buffer.size()));
    MINIK_TRY(got > 0 ? reader.add({buffer.data(), got}) : reader.add_end());
  }
  if (!reader.reusable()) stream_.reset();
  return reader.take();
}

}  // namespace minik::runtime
