#include "control/kubelet/image_name.h"

#include <algorithm>
#include <string>

#include "control/base/image_grammar.h"
#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr size_t kDigestMin = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Of any algorithm: whether this one can be had the runtime says.
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
  if (is_image_id(image)) {
    return refuse(image, cat("invalid repository name (", image, "), cannot specify 64-byte hexadecimal strings"));
  }
  std::string_view rest = image, host;
  if (const size_t slash = image.find('/'); slash != std::string_view::npos) {
    const auto first = image.substr(0, slash);
    if (looks_like_registry(first)) {
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
    if (!is_image_tag(rest.substr(colon + 1))) return refuse(image, kFormat);
    rest = rest.substr(0, colon);
  }
  if ((!host.empty() && !is_registry(host)) || !std::ranges::all_of(split(rest, '/'), is_image_component)) return refuse(image, kFormat);
  if (host.size() + rest.size() > kImagePathBytesMax) return refuse(image, cat("repository name must not be more than ", kImagePathBytesMax, " characters"));
  return {};
}

}  // namespace minik::control
