#include "control/api/continue_token.h"

#include "control/base/text.h"

namespace minik::control {

namespace {

// The alphabet of URLs, and no padding (RFC 4648, 5).
std::string to_url(std::string text) {
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string from_url(std::string_view url) {
  std::string text(url);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return text;
}

constexpr std::string_view kNewest = "newest";

}  // namespace

std::string encode_continue(const ContinueToken& token) {
  const std::string revision = token.revision ? cat(token.revision->value) : std::string(kNewest);
  return to_url(to_base64(cat(revision, "\n", token.namespace_, "\n", token.name)));
}

std::optional<ContinueToken> decode_continue(std::string_view text) {
  const auto bytes = from_base64(from_url(text));
  if (!bytes) return std::nullopt;
  const auto parts = split(*bytes, '\n');
  if (parts.size() != 3 || parts[2].empty()) return std::nullopt;
  ContinueToken token;
  if (parts[0] != kNewest) {
    token.revision = parse_revision(parts[0]);
    if (!token.revision) return std::nullopt;
  }
  token.namespace_ = parts[1];
  token.name = parts[2];
  return token;
}

}  // namespace minik::control
