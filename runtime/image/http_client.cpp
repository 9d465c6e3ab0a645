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
  std::optional<Parser> parser(std::in_place);
  const auto prepare = [&] {
    parser->eager(true);
    parser->header_limit(kHeaderBytesMax);
    parser->body_limit(static_cast<uint64_t>(kLayerBytesMax));
    parser->skip(request.method == "HEAD");
  };
  prepare();
  HttpResponse response;
  std::string input, output(kCopyBytes, '\0');
  char buffer[64U << 10];
  const auto take_body = [&](std::string_view bytes) -> Status {
    if (sink && response.status / 100 == 2) return sink(response, bytes);
    const size_t room = (sink ? kErrorBodyBytesMax : kDocumentBytesMax) - response.body.size();
    response.body += bytes.substr(0, room);
    if (!sink && bytes.size() > room) {
      return Error(ErrorCode::kRequestEntityTooLarge, cat(request.url.text(), " is too large"));
    }
    return {};
  };
  const auto take_headers = [&] {
    response.status = static_cast<int>(parser->get().result_int());
    for (const auto& field : parser->get()) {
      const auto name = field.name_string(), value = field.value();
      response.headers[to_lower({name.data(), name.size()})] = std::string(value);
    }
  };
  bool ended = false;
  while (!parser->is_done()) {
    if (parser->is_header_done()) {
      parser->get().body().data = output.data();
      parser->get().body().size = output.size();
      parser->get().body().more = true;
    }
    boost::system::error_code failure;
    const size_t used = input.empty() ? 0 : parser->put(boost::asio::buffer(input), failure);
    input.erase(0, used);
    if (failure == http::error::need_buffer) failure = {};
    const bool hungry = failure == http::error::need_more || (input.empty() && !failure);
    if (failure && failure != http::error::need_more)
      return malformed(request.url, failure.message());
    if (parser->is_header_done()) {
      if (response.status == 0) take_headers();
      if (const auto& body = parser->get().body(); body.data != nullptr) {
        MINIK_TRY(take_body({output.data(), output.size() - body.size}));
      }
      // 100 Continue and its kin precede the answer.
      if (response.status / 100 == 1) {
        parser.emplace();
        prepare();
        response = {};
        continue;
      }
    }
    if (parser->is_done() || !hungry) continue;
    if (ended) return malformed(request.url, "the answer ends in its middle");
    MINIK_ASSIGN(const size_t got, stream_->read_some(buffer, sizeof buffer));
    if (got > 0) {
      input.append(buffer, got);
      continue;
    }
    ended = true;
    boost::system::error_code at_end;
    if (parser->got_some()) parser->put_eof(at_end);
    if (at_end || !parser->got_some()) {
      return Error(ErrorCode::kServiceUnavailable,
                   cat(request.url.origin(), " closed the connection in the middle of its answer"));
    }
  }
  if (ended || !parser->keep_alive()) stream_.reset();
  return response;
}

}  // namespace minik::runtime
