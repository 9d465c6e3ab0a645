#include "control/schema/version_order.h"

#include <optional>
#include <tuple>

#include "control/base/text.h"

namespace minik::control {

namespace {

struct Version {
  int stability = 0;  // 2: stable, 1: beta, 0: alpha
  int64_t major = 0, minor = 0;
};

std::optional<int64_t> leading_number(std::string_view& text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == 0 || text[0] == '0') return std::nullopt;
  const auto number = parse_int64(text.substr(0, digits));
  text.remove_prefix(digits);
  return number;
}

std::optional<Version> parse(std::string_view text) {
  if (!text.starts_with('v')) return std::nullopt;
  text.remove_prefix(1);
  Version version;
  const auto major = leading_number(text);
  if (!major) return std::nullopt;
  version.major = *major;
  version.stability = 2;
  if (text.empty()) return version;
  for (const auto& [word, stability] : {std::pair<std::string_view, int>{"alpha", 0}, {"beta", 1}}) {
    if (!text.starts_with(word)) continue;
    text.remove_prefix(word.size());
    const auto minor = leading_number(text);
    if (!minor || !text.empty()) return std::nullopt;
    return Version{stability, version.major, *minor};
  }
  return std::nullopt;
}

}  // namespace

bool version_before(std::string_view a, std::string_view b) {
  const auto left = parse(a), right = parse(b);
  if (left && right) {
    return std::tuple(left->stability, left->major, left->minor) >
           std::tuple(right->stability, right->major, right->minor);
  }
  if (left || right) return left.has_value();
  return a < b;
}

}  // namespace minik::control
