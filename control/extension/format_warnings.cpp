#include "control/extension/format_warnings.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Dashes do not count.
constexpr std::string_view kKnown[] = {"bsonobjectid", "byte",     "cidr",   "creditcard", "date",     "datetime", "duration",
                                       "email",        "hexcolor", "hostname", "ipv4",     "ipv6",     "isbn",     "isbn10",
                                       "isbn13",       "k8slongname", "k8sshortname", "mac", "password", "rgbcolor", "ssn",
                                       "uri",          "uuid",     "uuid3",  "uuid4",      "uuid5"};

using Formats = std::set<std::string, std::less<>>;

void add_unknown(const Value& schema, Formats& unknown) {
  if (!schema.is_map()) return;
  const std::string_view format = schema.get("format").as_string();
  if (!format.empty() && schema[keys::kType].as_string() == "string") {
    std::string bare(format);
    std::erase(bare, '-');
    if (std::ranges::find(kKnown, bare) == std::end(kKnown)) unknown.emplace(format);
  }
  for (const auto* one : {"items", "not", "additionalProperties"}) add_unknown(schema.get(one), unknown);
  for (const auto* list : {"allOf", "anyOf", "oneOf"}) {
    for (const auto& part : schema.get(list).items()) add_unknown(part, unknown);
  }
  for (const auto& [name, property] : schema.get("properties").entries()) add_unknown(property, unknown);
}

Formats unknown_formats(const Value& definition) {
  Formats unknown;
  for (const auto& version : definition[keys::kSpec].get("versions").items()) {
    add_unknown(version.get("schema").get("openAPIV3Schema"), unknown);
  }
  return unknown;
}

}  // namespace

std::vector<std::string> format_warnings(const Value& definition, const Value& old) {
  std::vector<std::string> warnings;
  const Formats known_before = unknown_formats(old);
  for (const auto& format : unknown_formats(definition)) {
    if (!known_before.contains(format)) warnings.push_back(cat("unrecognized format ", quoted(format)));
  }
  return warnings;
}

}  // namespace minik::control
