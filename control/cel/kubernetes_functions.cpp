// Kubernetes' libraries of quantities, versions, URLs and named formats.
#include <algorithm>

#include "control/base/text.h"
#include "control/cel/extensions.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

const Quantity& amount(const Datum& d) {
  return d.as<QuantityBox>().quantity;
}

Datum box(const Quantity& quantity) {
  auto made = std::make_shared<QuantityBox>();
  made->quantity = quantity;
  return Datum::extension(Kind::kQuantity, std::move(made));
}

Datum parse_quantity(const Call& c) {
  const auto parsed = Quantity::parse(c[0].as_text());
  return parsed ? box(*parsed) : Datum::error(parsed.error().message);
}

Quantity operand(const Datum& d) {
  return d.kind() == Kind::kInt ? Quantity::of(d.as_int()) : amount(d);
}

bool is_whole(const Quantity& quantity) {
  return Quantity::of(quantity.units()) == quantity;
}

Datum as_integer(const Call& c) {
  if (!is_whole(amount(c[0]))) return Datum::error("cannot convert value to integer");
  return Datum::integer(amount(c[0]).units());
}

// Beyond milli the amount is rounded up, as everywhere in Kubernetes.
Datum as_float(const Call& c) {
  const Quantity& quantity = amount(c[0]);
  return Datum::floating(is_whole(quantity) ? static_cast<double>(quantity.units())
                                            : static_cast<double>(quantity.milli()) / 1000);
}

Datum quantity_sign(const Call& c) {
  return Datum::integer(amount(c[0]).negative() ? -1 : amount(c[0]).zero() ? 0 : 1);
}

int64_t sign_of(std::strong_ordering order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

// --- versions

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char ch) { return ch >= '0' && ch <= '9'; });
}

std::optional<std::vector<std::string>> identifiers(std::string_view text,
                                                    bool numbers_are_strict) {
  std::vector<std::string> all;
  for (const auto part : split(text, '.')) {
    const bool known = !part.empty() && std::ranges::all_of(part, [](char ch) {
      return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
             ch == '-';
    });
    if (!known || (numbers_are_strict && is_number(part) && part.size() > 1 && part[0] == '0'))
      return std::nullopt;
    all.emplace_back(part);
  }
  return all;
}

// Lenient, as semver(text, true): a leading v, missing numbers and leading zeros are taken.
std::shared_ptr<SemverBox> parse_version(std::string_view text, bool lenient) {
  auto version = std::make_shared<SemverBox>();
  if (lenient && text.starts_with('v')) text.remove_prefix(1);
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    if (!identifiers(text.substr(plus + 1), false)) return nullptr;
    text = text.substr(0, plus);
  }
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    auto parts = identifiers(text.substr(dash + 1), true);
    if (!parts) return nullptr;
    version->pre_release = std::move(*parts);
    text = text.substr(0, dash);
  }
  const auto numbers = split(text, '.');
  if (numbers.size() > 3 || (!lenient && numbers.size() != 3)) return nullptr;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto n = parse_uint64(numbers[i]);
    if (!n || (!lenient && numbers[i].size() > 1 && numbers[i][0] == '0')) return nullptr;
    version->numbers[i] = *n;
  }
  return version;
}

Datum version(const Call& c) {
  const bool lenient = c.arguments.size() == 2 && c[1].is_true();
  auto parsed = parse_version(c[0].as_text(), lenient);
  if (parsed == nullptr)
    return Datum::error(cat("invalid semantic version ", quoted(c[0].as_text().substr(0, 64)),
                            "; it must be one such as 1.2.3"));
  return Datum::extension(Kind::kSemver, std::move(parsed));
}
Datum is_version(const Call& c) {
  return Datum::boolean(parse_version(c[0].as_text(), c.arguments.size() == 2 && c[1].is_true()) !=
                        nullptr);
}

int64_t compare_semver(const Call& c) {
  return sign_of(compare_versions(c[0].as<SemverBox>(), c[1].as<SemverBox>()));
}

template <size_t index>
Datum version_number(const Call& c) {
  return Datum::integer(static_cast<int64_t>(c[0].as<SemverBox>().numbers[index]));
}

// --- URLs: absolute URIs and absolute paths, as url.ParseRequestURI takes them

std::shared_ptr<UrlBox> parse_url(std::string_view text) {
  auto url = std::make_shared<UrlBox>();
  url->text = text;
  const bool clean = std::ranges::all_of(
      text, [](char ch) { return static_cast<uint8_t>(ch) > 0x20 && ch != 0x7f; });
  if (text.empty() || !clean) return nullptr;
  if (!text.starts_with('/')) {
    const auto colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos) return nullptr;
    url->scheme = to_lower(text.substr(0, colon));
    const bool letters = std::ranges::all_of(url->scheme, [](char ch) {
      return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '+' || ch == '-' ||
             ch == '.';
    });
    if (!letters || url->scheme[0] < 'a') return nullptr;
    text.remove_prefix(colon + 1);
    if (text.starts_with("//")) {
      text.remove_prefix(2);
      std::string_view authority = text.substr(0, text.find_first_of("/?"));
      text.remove_prefix(authority.size());
      if (const auto at = authority.rfind('@'); at != std::string_view::npos)
        authority.remove_prefix(at + 1);
      const auto bracket = authority.find(']');
      if (authority.starts_with('[') == (bracket == std::string_view::npos)) return nullptr;
      const auto port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
      if (port != std::string_view::npos && port + 1 < authority.size() &&
          !is_number(authority.substr(port + 1)))
        return nullptr;
      url->host = authority;
    }
  }
  const auto question = text.find('?');
  url->path = text.substr(0, question);
  if (question != std::string_view::npos) url->query = text.substr(question + 1);
  return url;
}

Datum url(const Call& c) {
  auto parsed = parse_url(c[0].as_text());
  if (parsed == nullptr)
    return Datum::error(cat("URL parse error during conversion from string: ",
                            quoted(c[0].as_text().substr(0, 256))));
  return Datum::extension(Kind::kUrl, std::move(parsed));
}

template <std::string UrlBox::*part>
Datum url_part(const Call& c) {
  return Datum::text(c[0].as<UrlBox>().*part);
}

Datum url_hostname(const Call& c) {
  std::string_view host = c[0].as<UrlBox>().host;
  if (host.starts_with('[')) return Datum::text(host.substr(1, host.find(']') - 1));
  return Datum::text(host.substr(0, host.find(':')));
}

Datum url_port(const Call& c) {
  std::string_view host = c[0].as<UrlBox>().host;
  if (host.starts_with('[')) host.remove_prefix(host.find(']'));
  const auto colon = host.find(':');
  return Datum::text(colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1));
}

std::string unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto hex = [](char ch) {
      return ch >= '0' && ch <= '9'                 ? ch - '0'
             : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10
                                                    : -1;
    };
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      plain += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      plain += text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

Datum url_query(const Call& c) {
  std::vector<std::pair<std::string, std::vector<Datum>>> grouped;
  for (const auto pair : split(c[0].as<UrlBox>().query, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    std::string name = unescape(pair.substr(0, equals));
    const Datum value = Datum::text(
        equals == std::string_view::npos ? std::string() : unescape(pair.substr(equals + 1)));
    const auto known = std::ranges::find(grouped, name, &decltype(grouped)::value_type::first);
    if (known != grouped.end())
      known->second.push_back(value);
    else
      grouped.emplace_back(std::move(name), std::vector<Datum>{value});
  }
  std::vector<Datum::Entry> entries;
  for (auto& [name, values] : grouped)
    entries.push_back({Datum::text(name), Datum::list(std::move(values))});
  return Datum::map(std::move(entries));
}

constexpr OverloadText kKubernetesFunctions[] = {
    {"quantity(string) -> Quantity", parse_quantity, Cost::kTraverse},
    {"isQuantity(string) -> bool",
     [](const Call& c) { return Datum::boolean(Quantity::parse(c[0].as_text()).ok()); },
     Cost::kTraverse},
    {"Quantity.sign() -> int", quantity_sign},
    {"Quantity.isInteger() -> bool",
     [](const Call& c) { return Datum::boolean(is_whole(amount(c[0]))); }},
    {"Quantity.asInteger() -> int", as_integer},
    {"Quantity.asApproximateFloat() -> double", as_float},
    {"Quantity.isGreaterThan(Quantity) -> bool",
     [](const Call& c) { return Datum::boolean(amount(c[0]) > amount(c[1])); }},
    {"Quantity.isLessThan(Quantity) -> bool",
     [](const Call& c) { return Datum::boolean(amount(c[0]) < amount(c[1])); }},
    {"Quantity.compareTo(Quantity) -> int",
     [](const Call& c) { return Datum::integer(sign_of(amount(c[0]) <=> amount(c[1]))); }},
    {"Quantity.add(Quantity) -> Quantity",
     [](const Call& c) { return box(amount(c[0]) + operand(c[1])); }},
    {"Quantity.add(int) -> Quantity",
     [](const Call& c) { return box(amount(c[0]) + operand(c[1])); }},
    {"Quantity.sub(Quantity) -> Quantity",
     [](const Call& c) { return box(amount(c[0]) - operand(c[1])); }},
    {"Quantity.sub(int) -> Quantity",
     [](const Call& c) { return box(amount(c[0]) - operand(c[1])); }},

    {"semver(string) -> Semver", version, Cost::kTraverse},
    {"semver(string, bool) -> Semver", version, Cost::kTraverse},
    {"isSemver(string) -> bool", is_version, Cost::kTraverse},
    {"isSemver(string, bool) -> bool", is_version, Cost::kTraverse},
    {"Semver.major() -> int", version_number<0>},
    {"Semver.minor() -> int", version_number<1>},
    {"Semver.patch() -> int", version_number<2>},
    {"Semver.isGreaterThan(Semver) -> bool",
     [](const Call& c) { return Datum::boolean(compare_semver(c) > 0); }},
    {"Semver.isLessThan(Semver) -> bool",
     [](const Call& c) { return Datum::boolean(compare_semver(c) < 0); }},
    {"Semver.compareTo(Semver) -> int",
     [](const Call& c) { return Datum::integer(compare_semver(c)); }},

    {"url(string) -> URL", url, Cost::kTraverse},
    {"isURL(string) -> bool",
     [](const Call& c) { return Datum::boolean(parse_url(c[0].as_text()) != nullptr); },
     Cost::kTraverse},
    {"URL.getScheme() -> string", url_part<&UrlBox::scheme>},
    {"URL.getHost() -> string", url_part<&UrlBox::host>},
    {"URL.getHostname() -> string", url_hostname},
    {"URL.getPort() -> string", url_port},
    {"URL.getEscapedPath() -> string", url_part<&UrlBox::path>},
    {"URL.getQuery() -> map<string, list<string>>", url_query},
};

}  // namespace

bool is_url(std::string_view text) {
  return parse_url(text) != nullptr;
}

std::strong_ordering compare_versions(const SemverBox& a, const SemverBox& b) {
  if (const auto order = a.numbers <=> b.numbers; order != 0) return order;
  // A release is later than its pre-releases.
  if (a.pre_release.empty() || b.pre_release.empty())
    return a.pre_release.empty() <=> b.pre_release.empty();
  for (size_t i = 0; i < std::min(a.pre_release.size(), b.pre_release.size()); ++i) {
    const std::string &x = a.pre_release[i], &y = b.pre_release[i];
    if (x == y) continue;
    // Numbers are earlier than words and go by amount; without leading zeros the longer is the
    // larger.
    if (is_number(x) != is_number(y)) return is_number(y) <=> is_number(x);
    if (is_number(x) && x.size() != y.size()) return x.size() <=> y.size();
    return x.compare(y) <=> 0;
  }
  return a.pre_release.size() <=> b.pre_release.size();
}

bool extension_equals(const Datum& a, const Datum& b) {
  switch (a.kind()) {
    case Kind::kQuantity:
      return amount(a) == amount(b);
    case Kind::kUrl:
      return a.as<UrlBox>().text == b.as<UrlBox>().text;
    case Kind::kSemver:
      return compare_versions(a.as<SemverBox>(), b.as<SemverBox>()) == 0;
    case Kind::kFormat:
      return a.as<FormatBox>().name == b.as<FormatBox>().name;
    default:
      return a.as<AddressBox>() == b.as<AddressBox>();
  }
}

std::span<const OverloadText> kubernetes_functions() {
  return kKubernetesFunctions;
}

}  // namespace minik::control::cel
