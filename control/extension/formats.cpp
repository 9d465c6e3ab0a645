#include "control/extension/formats.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/cel/regex.h"
#include "control/schema/names.h"

namespace minik::control {

namespace {

bool is_date_time(std::string_view text) { return parse_time(text).has_value(); }
bool is_date(std::string_view text) {
  return text.size() == 10 && parse_time(cat(text, "T00:00:00Z")).has_value();
}
bool is_duration(std::string_view text) { return parse_duration(text).has_value(); }
bool is_ipv4(std::string_view text) {
  return text.find(':') == std::string_view::npos && check_ip(text).empty();
}
bool is_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos && check_ip(text).empty();
}
bool is_cidr(std::string_view text) {
  const size_t slash = text.rfind('/');
  if (slash == std::string_view::npos || !check_ip(text.substr(0, slash)).empty()) return false;
  const auto bits = parse_int64(text.substr(slash + 1));
  return bits && *bits >= 0 && *bits <= (text.find(':') == std::string_view::npos ? 32 : 128);
}
bool is_hostname(std::string_view text) {
  return check_dns_subdomain(to_lower(text)).empty();
}

struct Pattern {
  std::string_view format, expression;
};
constexpr Pattern kPatterns[] = {
    {"uuid", "^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid3", "^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid4", "^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"uuid5", "^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"mac", "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"},
    {"email", "^[^@\\s]+@[^@\\s]+$"},
    {"uri", "^([A-Za-z][A-Za-z0-9+.-]*:|/)[^\\s]*$"},
    {"byte", "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"},
    {"hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"},
};

struct Check {
  std::string_view format;
  bool (*holds)(std::string_view text);
};
constexpr Check kChecks[] = {{"date-time", is_date_time}, {"datetime", is_date_time}, {"date", is_date},
                             {"duration", is_duration},   {"ipv4", is_ipv4},          {"ipv6", is_ipv6},
                             {"cidr", is_cidr},           {"hostname", is_hostname}};

}  // namespace

bool has_format(std::string_view format, std::string_view text) {
  if (const auto check = std::ranges::find(kChecks, format, &Check::format); check != std::end(kChecks)) {
    return check->holds(text);
  }
  const auto pattern = std::ranges::find(kPatterns, format, &Pattern::format);
  if (pattern == std::end(kPatterns)) return true;
  const auto regex = cel::Regex::compile(pattern->expression);
  return regex && (*regex)->matches(text);
}

}  // namespace minik::control
