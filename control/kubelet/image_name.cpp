#include "control/kubelet/image_name.h"

#include <algorithm>
#include <string>

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr size_t kNameMax = 255, kTagMax = 128, kDigestMin = 32, kImageIdLength = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_lower(c) || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Words of small letters and digits, between which one dot, one or two underscores or any number of dashes stand.
bool is_path_part(std::string_view part) {
  const auto is_word = [](char c) { return is_lower(c) || is_digit(c); };
  if (part.empty() || !is_word(part.front()) || !is_word(part.back())) return false;
  for (size_t at = 0; at < part.size();) {
    const char c = part[at];
    size_t same = at;
    while (same < part.size() && part[same] == c) ++same;
    const size_t count = same - at;
    at = is_word(c) ? at + 1 : same;
    if (is_word(c) || c == '-') continue;
    const bool between_words = at < part.size() && is_word(part[at]) && is_word(part[at - count - 1]);
    if (!between_words || !((c == '.' && count == 1) || (c == '_' && count <= 2))) return false;
  }
  // Dashes stand alone, too.
  return part.find("-.") == std::string_view::npos && part.find("-_") == std::string_view::npos;
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos || end < 2) return false;
    if (!std::ranges::all_of(host.substr(1, end - 1), [](char c) { return is_hex(c) || c == ':'; })) return false;
    if (host.substr(end + 1).empty()) return true;
    return host[end + 1] == ':' && end + 2 < host.size() && std::ranges::all_of(host.substr(end + 2), is_digit);
  }
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    if (colon + 1 == host.size() || !std::ranges::all_of(host.substr(colon + 1), is_digit)) return false;
    host = host.substr(0, colon);
  }
  return std::ranges::all_of(split(host, '.'), [](std::string_view label) {
    const auto is_word = [](char c) { return is_letter(c) || is_digit(c); };
    return !label.empty() && is_word(label.front()) && is_word(label.back()) &&
           std::ranges::all_of(label, [&](char c) { return is_word(c) || c == '-'; });
  });
}

bool is_tag(std::string_view tag) {
  const auto is_word = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !tag.empty() && tag.size() <= kTagMax && is_word(tag.front()) &&
         std::ranges::all_of(tag, [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_digest(std::string_view digest) {
  const size_t colon = digest.find(':');
  if (colon == std::string_view::npos) return false;
  const auto algorithm = digest.substr(0, colon), hex = digest.substr(colon + 1);
  return !algorithm.empty() && is_letter(algorithm.front()) &&
         std::ranges::all_of(algorithm, [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '.' || c == '_' || c == '-'; }) &&
         hex.size() >= kDigestMin && std::ranges::all_of(hex, is_hex);
}

Error refuse(std::string_view image, std::string_view why) {
  return Error(ErrorCode::kBadRequest, cat("couldn't parse image name ", quoted(image), ": ", why));
}

}  // namespace

Status check_image_name(std::string_view image) {
  constexpr std::string_view kFormat = "invalid reference format";
  if (image.size() == kImageIdLength && std::ranges::all_of(image, [](char c) { return is_hex(c) && !is_upper(c); })) {
    return refuse(image, cat("invalid repository name (", image, "), cannot specify 64-byte hexadecimal strings"));
  }
  std::string_view rest = image, host;
  if (const size_t slash = image.find('/'); slash != std::string_view::npos) {
    const auto first = image.substr(0, slash);
    const bool is_registry = first.find_first_of(".:") != std::string_view::npos || first == "localhost" || std::ranges::any_of(first, is_upper);
    if (is_registry) {
      host = first;
      rest = image.substr(slash + 1);
    }
  }
  const auto path_to_tag = rest.substr(0, rest.find(':'));
  const bool official = host.empty() && path_to_tag.find('/') == std::string_view::npos;
  if (std::ranges::any_of(path_to_tag, is_upper)) {
    return refuse(image, cat(kFormat, ": repository name (", official ? "library/" : "", path_to_tag, ") must be lowercase"));
  }
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    if (!is_digest(rest.substr(at + 1))) return refuse(image, kFormat);
    rest = rest.substr(0, at);
  }
  if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    if (!is_tag(rest.substr(colon + 1))) return refuse(image, kFormat);
    rest = rest.substr(0, colon);
  }
  if ((!host.empty() && !is_host(host)) || !std::ranges::all_of(split(rest, '/'), is_path_part)) return refuse(image, kFormat);
  if (host.size() + rest.size() > kNameMax) return refuse(image, cat("repository name must not be more than ", kNameMax, " characters"));
  return {};
}

}  // namespace minik::control
