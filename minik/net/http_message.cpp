#include "minik/net/http_message.h"

#include <algorithm>
#include <charconv>

#include "control/base/text.h"

namespace minik {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A '%' that starts no valid escape stays as it is.
std::string decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

}  // namespace

void append_http_chunk(std::string& out, std::string_view bytes) {
  char size[20];
  const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
  out.append(size, static_cast<size_t>(end - size)).append("\r\n").append(bytes).append("\r\n");
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& h : headers) {
    if (h.name == name) return h.value;
  }
  return {};
}

std::vector<std::string_view> HttpRequest::header_list(std::string_view name) const {
  std::vector<std::string_view> items;
  for (const HttpHeader& h : headers) {
    if (h.name != name) continue;
    for (const std::string_view item : split(h.value, ',')) {
      if (const auto trimmed = trim(item); !trimmed.empty()) items.push_back(trimmed);
    }
  }
  return items;
}

bool HttpRequest::header_has_token(std::string_view name, std::string_view token) const {
  const auto items = header_list(name);
  return std::any_of(items.begin(), items.end(), [&](std::string_view item) {
    return equal_ignoring_case(trim(item.substr(0, item.find(';'))), token);
  });
}

HttpResponse HttpResponse::text(int status, std::string body) {
  return {status, {{"content-type", "text/plain; charset=utf-8"}}, std::move(body)};
}

std::string_view http_status_text(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Request Entity Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Entity";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

std::vector<std::pair<std::string, std::string>> query_parameters(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string_view piece : split(query, '&')) {
    if (piece.empty()) continue;
    const size_t equals = piece.find('=');
    parameters.emplace_back(
        decoded(piece.substr(0, equals)),
        equals == std::string_view::npos ? std::string() : decoded(piece.substr(equals + 1)));
  }
  return parameters;
}

}  // namespace minik
