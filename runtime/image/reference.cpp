#include "runtime/image/reference.h"

#include <algorithm>

#include "control/base/text.h"
#include "runtime/image/digest.h"

namespace minik::runtime {
namespace {

constexpr size_t kPathBytesMax = 255;
constexpr size_t kTagBytesMax = 128;
constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kOfficial = "library/";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_word(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '_';
}

Error bad(std::string_view text, std::string_view why) {
  return Error(ErrorCode::kInvalid,
               cat("image reference ", quoted(text.substr(0, 300)), " is not valid: ", why));
}

// A run of [a-z0-9]+ joined by '.', '_', '__' or any number of '-'.
bool valid_component(std::string_view text) {
  size_t at = 0;
  while (true) {
    const size_t start = at;
    while (at < text.size() && (is_lower(text[at]) || is_digit(text[at]))) ++at;
    if (at == start) return false;
    if (at == text.size()) return true;
    const char separator = text[at];
    const size_t first = at;
    while (at < text.size() && text[at] == separator) ++at;
    const size_t run = at - first;
    const bool fits =
        (separator == '.' && run == 1) || (separator == '_' && run <= 2) || separator == '-';
    if (!fits) return false;
  }
}

bool valid_host(std::string_view host) {
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 4) return false;
    host = host.substr(1, host.size() - 2);
    return host.find(':') != std::string_view::npos &&
           std::all_of(host.begin(), host.end(), [](char c) { return is_hex(c) || c == ':'; });
  }
  for (const std::string_view label : split(host, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return (is_word(c) && c != '_') || c == '-'; })) {
      return false;
    }
  }
  return true;
}

bool valid_domain(std::string_view domain) {
  const size_t bracket = domain.rfind(']');
  const size_t colon = domain.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return valid_host(domain);
  const std::string_view port = domain.substr(colon + 1);
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit) &&
         valid_host(domain.substr(0, colon));
}

bool is_domain(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), is_upper);
}

Status split_name(std::string_view whole, std::string_view name, Reference& reference) {
  const size_t slash = name.find('/');
  if (slash != std::string_view::npos && is_domain(name.substr(0, slash))) {
    reference.domain = name.substr(0, slash);
    reference.path = name.substr(slash + 1);
  } else {
    reference.domain = kHub;
    reference.path = name;
  }
  if (reference.domain == "index.docker.io") reference.domain = kHub;
  if (reference.domain == kHub && reference.path.find('/') == std::string::npos) {
    reference.path.insert(0, kOfficial);
  }
  if (!valid_domain(reference.domain)) {
    return bad(whole, cat(quoted(reference.domain), " is not a registry's host[:port]"));
  }
  if (std::any_of(reference.path.begin(), reference.path.end(), is_upper)) {
    return bad(whole, cat("repository name ", quoted(reference.path), " must be lowercase"));
  }
  if (reference.path.size() > kPathBytesMax) {
    return bad(whole, cat("the repository name is longer than ", kPathBytesMax, " characters"));
  }
  for (const std::string_view component : split(reference.path, '/')) {
    if (!valid_component(component)) {
      return bad(whole, cat(quoted(component),
                            " is not a repository name: it takes lowercase "
                            "letters and digits joined by . _ __ or -"));
    }
  }
  return {};
}

}  // namespace

bool valid_tag(std::string_view text) {
  return !text.empty() && text.size() <= kTagBytesMax && is_word(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

Result<Reference> parse_reference(std::string_view text) {
  if (text.empty()) return bad(text, "it is empty");
  Reference reference;
  std::string_view name = text;
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(name.substr(at + 1));
    if (!digest) return bad(text, digest.error().message);
    reference.digest = digest->text();
    name = name.substr(0, at);
  }
  // A colon after the last slash starts the tag; before it, a port.
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    const std::string_view tag = name.substr(colon + 1);
    if (!valid_tag(tag)) return bad(text, cat(quoted(tag), " is not a tag"));
    reference.tag = tag;
    name = name.substr(0, colon);
  }
  if (name.size() == 64 && std::all_of(name.begin(), name.end(), is_hex)) {
    return bad(text, "64 hexadecimal digits are an image's id, not its name");
  }
  MINIK_TRY(split_name(text, name, reference));
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

std::string Reference::text() const {
  std::string all = name();
  if (!tag.empty()) all += ":" + tag;
  if (!digest.empty()) all += "@" + digest;
  return all;
}

std::string Reference::familiar_name() const {
  // Of a path that itself begins like a registry the Hub's name cannot be left out.
  const size_t slash = path.find('/');
  if (domain != kHub || is_domain(std::string_view(path).substr(0, slash))) return name();
  const std::string_view rest = std::string_view(path).starts_with(kOfficial)
                                    ? std::string_view(path).substr(kOfficial.size())
                                    : std::string_view();
  return rest.empty() || rest.find('/') != std::string_view::npos ? path : std::string(rest);
}

std::string Reference::familiar() const {
  std::string all = familiar_name();
  if (!tag.empty()) all += ":" + tag;
  if (!digest.empty()) all += "@" + digest;
  return all;
}

}  // namespace minik::runtime
