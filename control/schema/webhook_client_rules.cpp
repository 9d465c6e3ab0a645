#include "control/schema/webhook_client_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"

namespace minik::control {

namespace {

// The parts of scheme://user@host/path?query#fragment; what is not there is empty.
struct UrlParts {
  std::string_view scheme, user, host, query, fragment;
};

std::string_view cut_behind(std::string_view& text, char mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

UrlParts parts_of(std::string_view url) {
  UrlParts parts;
  parts.fragment = cut_behind(url, '#');
  parts.query = cut_behind(url, '?');
  const size_t colon = url.find(':');
  if (colon != std::string_view::npos && url.find('/') > colon) {
    parts.scheme = url.substr(0, colon);
    url.remove_prefix(colon + 1);
  }
  if (!url.starts_with("//")) return parts;
  url = url.substr(2, url.find('/', 2) - 2);
  const size_t at = url.rfind('@');
  if (at != std::string_view::npos) parts.user = url.substr(0, at);
  parts.host = at == std::string_view::npos ? url : url.substr(at + 1);
  return parts;
}

void check_url(const Value& url, const FieldPath& at, FieldErrors& errors) {
  constexpr std::string_view kForm = "; desired format: https://host[/path]";
  const std::string_view text = url.as_string();
  if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f; })) {
    return errors.required(at, cat("url must be a valid URL: parse ", quoted(text), ": invalid character in URL", kForm));
  }
  const UrlParts parts = parts_of(text);
  if (to_lower(parts.scheme) != "https") errors.invalid(at, Value(parts.scheme), cat("'https' is the only allowed URL scheme", kForm));
  if (parts.host.empty()) errors.invalid(at, Value(""), cat("host must be provided", kForm));
  if (!parts.user.empty()) errors.invalid(at, Value(parts.user), "user information is not permitted in the URL");
  if (!parts.fragment.empty()) errors.invalid(at, Value(parts.fragment), "fragments are not permitted in the URL");
  if (!parts.query.empty()) errors.invalid(at, Value(parts.query), "query parameters are not permitted in the URL");
}

void check_service_path(const Value& path, const FieldPath& at, FieldErrors& errors) {
  std::string_view text = path.as_string();
  if (text.empty() || text == "/") return;
  if (text == "//") return errors.invalid(at, path, "segment[0] may not be empty");
  if (text[0] != '/') errors.invalid(at, path, "must start with a '/'");
  text.remove_prefix(1);
  if (text.ends_with('/')) text.remove_suffix(1);
  const auto segments = split(text, '/');
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].empty()) {
      errors.invalid(at, path, cat("segment[", i, "] may not be empty"));
      continue;
    }
    for (const auto& problem : check_dns_subdomain(segments[i])) errors.invalid(at, path, cat("segment[", i, "]: ", problem));
  }
}

void check_service(const Value& service, const FieldPath& at, FieldErrors& errors) {
  // That it has a name and a namespace is asked by the schema.
  const FieldPath port = at.field("port"), path = at.field("path");
  const int64_t number = service[keys::kPort].as_int(443);
  if (const auto problems = check_port_number(number); !problems.empty())
    errors.invalid(port, Value(number), cat("port is not valid: ", join(problems, ", ")));
  check_service_path(service[keys::kPath], path, errors);
}

}  // namespace

void check_webhook_client(const Value& config, const FieldPath& at, FieldErrors& errors) {
  const FieldPath url = at.field("url"), service = at.field("service");
  if (config.get("url").is_string() == config.get("service").is_map())
    return errors.required(at, "exactly one of url or service is required");
  if (config.get("url").is_string()) return check_url(config.get("url"), url, errors);
  check_service(config.get("service"), service, errors);
}

void check_ca_bundle(const Value& bundle, const FieldPath& at, FieldErrors& errors) {
  if (bundle.as_string().empty()) return;
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  const std::string pem = from_base64(bundle.as_string()).value_or("");
  const size_t begin = pem.find(kBegin);
  if (begin != std::string::npos && pem.find(kEnd, begin) != std::string::npos) return;
  errors.invalid(at, bundle, "unable to load root certificates: unable to parse bytes as PEM block");
}

}  // namespace minik::control
