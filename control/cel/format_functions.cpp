// Kubernetes' named formats: format.dns1123Label().validate(text) yields nothing for good text,
// else what is wrong with it, in the sentences that the API uses for names.
#include <algorithm>
#include <array>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/cel/extensions.h"
#include "control/cel/overloads.h"
#include "control/schema/names.h"

namespace minik::control::cel {

namespace {

using Check = NameProblems (*)(std::string_view);

// A prefix may end in the dash after which a name goes on.
template <Check check>
NameProblems check_prefix(std::string_view text) {
  if (text.size() > 1 && text.ends_with('-'))
    return check(cat(text.substr(0, text.size() - 2), "a"));
  return check(text);
}

NameProblems check_uri(std::string_view text) {
  if (is_url(text)) return {};
  return {cat("parse ", quoted(text), ": invalid URI for request")};
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

// The dashes of a UUID may be missing.
NameProblems check_uuid(std::string_view text) {
  size_t at = 0;
  bool good = true;
  for (const size_t digits : {8UL, 4UL, 4UL, 4UL, 12UL}) {
    if (at > 0 && at < text.size() && text[at] == '-') ++at;
    for (size_t i = 0; i < digits; ++i, ++at) good = good && at < text.size() && is_hex(text[at]);
  }
  if (good && at == text.size()) return {};
  return {"does not match the UUID format"};
}

NameProblems check_byte(std::string_view text) {
  if (!text.empty() && from_base64(text)) return {};
  return {"invalid base64"};
}

NameProblems check_date(std::string_view text) {
  if (text.size() == 10 && parse_time(cat(text, "T00:00:00Z"))) return {};
  return {"invalid date"};
}

NameProblems check_datetime(std::string_view text) {
  if (parse_time(text)) return {};
  return {"invalid datetime"};
}

struct Format {
  std::string_view name;
  Check check;
};
constexpr std::array<Format, 13> kFormats = {
    {{"dns1123Label", check_dns_label},
     {"dns1123Subdomain", check_dns_subdomain},
     {"dns1035Label", check_dns_1035_label},
     {"qualifiedName", check_qualified_name},
     {"dns1123LabelPrefix", check_prefix<check_dns_label>},
     {"dns1123SubdomainPrefix", check_prefix<check_dns_subdomain>},
     {"dns1035LabelPrefix", check_prefix<check_dns_1035_label>},
     {"labelValue", check_label_value},
     {"uri", check_uri},
     {"uuid", check_uuid},
     {"byte", check_byte},
     {"date", check_date},
     {"datetime", check_datetime}}};

Datum box(std::string_view name) {
  auto format = std::make_shared<FormatBox>();
  format->name = name;
  return Datum::extension(Kind::kFormat, std::move(format));
}

template <size_t index>
Datum constant(const Call&) {
  return box(kFormats[index].name);
}

Datum named(const Call& c) {
  const auto found = std::ranges::find(kFormats, c[0].as_text(), &Format::name);
  return found == kFormats.end() ? Datum::none() : Datum::optional(box(found->name));
}

Datum validate(const Call& c) {
  const auto found =
      std::ranges::find(kFormats, std::string_view(c[0].as<FormatBox>().name), &Format::name);
  std::vector<Datum> problems;
  for (const auto& problem : found->check(c[1].as_text())) problems.push_back(Datum::text(problem));
  return problems.empty() ? Datum::none() : Datum::optional(Datum::list(std::move(problems)));
}

constexpr OverloadText kFormatFunctions[] = {
    {"format.named(string) -> optional<Format>", named},
    {"Format.validate(string) -> optional<list<string>>", validate, Cost::kTraverse},
    {"format.dns1123Label() -> Format", constant<0>},
    {"format.dns1123Subdomain() -> Format", constant<1>},
    {"format.dns1035Label() -> Format", constant<2>},
    {"format.qualifiedName() -> Format", constant<3>},
    {"format.dns1123LabelPrefix() -> Format", constant<4>},
    {"format.dns1123SubdomainPrefix() -> Format", constant<5>},
    {"format.dns1035LabelPrefix() -> Format", constant<6>},
    {"format.labelValue() -> Format", constant<7>},
    {"format.uri() -> Format", constant<8>},
    {"format.uuid() -> Format", constant<9>},
    {"format.byte() -> Format", constant<10>},
    {"format.date() -> Format", constant<11>},
    {"format.datetime() -> Format", constant<12>},
};

}  // namespace

std::span<const OverloadText> format_functions() {
  return kFormatFunctions;
}

}  // namespace minik::control::cel
