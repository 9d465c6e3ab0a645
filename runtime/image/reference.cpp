#include "runtime/image/reference.h"

#include <algorithm>

#include "control/base/image_grammar.h"
#include "control/base/text.h"
#include "runtime/image/digest.h"

namespace minik::runtime {
namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kOfficial = "library/";

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

Error bad(std::string_view text, std::string_view why) {
  return Error(ErrorCode::kInvalid,
               cat("image reference ", quoted(text.substr(0, 300)), " is not valid: ", why));
}

Status split_name(std::string_view whole, std::string_view name, Reference& reference) {
  const size_t slash = name.find('/');
  if (slash != std::string_view::npos && looks_like_registry(name.substr(0, slash))) {
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
  if (!is_registry(reference.domain)) {
    return bad(whole, cat(quoted(reference.domain), " is not a registry's host[:port]"));
  }
  if (std::any_of(reference.path.begin(), reference.path.end(), is_upper)) {
    return bad(whole, cat("repository name ", quoted(reference.path), " must be lowercase"));
  }
  if (reference.path.size() > kImagePathBytesMax) {
    return bad(whole, cat("the repository name is longer than ", kImagePathBytesMax, " characters"));
  }
  for (const std::string_view component : split(reference.path, '/')) {
    if (!is_image_component(component)) {
      return bad(whole, cat(quoted(component),
                            " is not a repository name: it takes lowercase "
                            "letters and digits joined by . _ __ or -"));
    }
  }
  return {};
}

}  // namespace

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
    if (!is_image_tag(tag)) return bad(text, cat(quoted(tag), " is not a tag"));
    reference.tag = tag;
    name = name.substr(0, colon);
  }
  if (is_image_id(name)) {
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
  if (domain != kHub || looks_like_registry(std::string_view(path).substr(0, slash))) return name();
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
